// Package progress carries what the parallel workers of one run have to say to the process
// that launched them, as JSON lines over a Unix socket. Results travel the moment that a
// check ends, so that a worker which dies later takes none of them with it.
package progress

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"aiv.internal/conformance/framework/verdict"
)

// Event is one line on the socket.
type Event struct {
	// Started is the ID of an item whose check begins.
	Started string `json:"started,omitempty"`
	// Result is the result of an item whose check has ended.
	Result *verdict.Result `json:"result,omitempty"`
	// Run is what the run found out about itself before its first check.
	Run *Run `json:"run,omitempty"`
	// Problem is an error of the run itself that belongs to no item.
	Problem string `json:"problem,omitempty"`
}

// Run describes the environment that was measured.
type Run struct {
	Server     string `json:"server,omitempty"`
	Kubernetes string `json:"kubernetes,omitempty"`
	Namespace  string `json:"namespace,omitempty"`
	User       string `json:"user,omitempty"`
	// Leased says that the run may have made objects, and owes a word on their removal.
	Leased bool `json:"leased,omitempty"`
}

// Sender is a worker's end. It is safe for concurrent use; the nil Sender drops events.
type Sender struct {
	mu         sync.Mutex
	connection net.Conn
	lost       chan struct{}
}

// Dial connects a worker to the launcher's socket.
func Dial(socket string) (*Sender, error) {
	connection, err := net.Dial("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("connect to the launcher: %w", err)
	}
	s := &Sender{connection: connection, lost: make(chan struct{})}
	go func() {
		defer close(s.lost)
		io.Copy(io.Discard, connection) // the launcher sends nothing; the end means that it is gone
	}()
	return s, nil
}

// Lost returns a channel that is closed when the launcher is no more.
func (s *Sender) Lost() <-chan struct{} { return s.lost }

// Send delivers one event; an error means that the launcher is gone.
func (s *Sender) Send(e Event) error {
	if s == nil {
		return nil
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode a progress event: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err = s.connection.Write(append(line, '\n'))
	return err
}

// Listener is the launcher's end.
type Listener struct {
	listener net.Listener
	events   chan Event
	readers  sync.WaitGroup
}

// Listen opens the socket. Events arrive on the channel of Events until Close.
func Listen(socket string) (*Listener, error) {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("open the workers' socket: %w", err)
	}
	l := &Listener{listener: listener, events: make(chan Event)}
	l.readers.Add(1)
	go l.accept()
	return l, nil
}

// Events returns the channel of events, which is closed when every worker's connection
// has been read to its end after Close.
func (l *Listener) Events() <-chan Event { return l.events }

// Close stops accepting workers and closes the channel once the connected ones are done.
func (l *Listener) Close() error {
	err := l.listener.Close()
	go func() {
		l.readers.Wait()
		close(l.events)
	}()
	return err
}

func (l *Listener) accept() {
	defer l.readers.Done()
	for {
		connection, err := l.listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				l.events <- Event{Problem: "the workers' socket failed: " + err.Error()}
			}
			return
		}
		l.readers.Add(1)
		go l.read(connection)
	}
}

func (l *Listener) read(connection net.Conn) {
	defer l.readers.Done()
	defer connection.Close()
	decoder := json.NewDecoder(bufio.NewReader(connection))
	for {
		var event Event
		if err := decoder.Decode(&event); err != nil {
			// A worker that exits or dies ends its stream; what it had sent is here.
			return
		}
		l.events <- event
	}
}
