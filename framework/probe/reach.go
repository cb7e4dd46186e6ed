package probe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// reachTry bounds one try: what is dropped is never answered, and other packets are answered
	// in milliseconds.
	reachTry = 1500 * time.Millisecond
	// reachPause is the time between two tries.
	reachPause = 250 * time.Millisecond
	// reachPhases is how many phases of a target a result has room for.
	reachPhases = 12
	// reachText bounds a phase's message.
	reachText = 80
)

// Kinds of targets, as prefixes.
const (
	ReachTCP = "tcp:"
	ReachDNS = "dns:"
)

// ReachOptions describe a pod that others reach, and that tries again and again to reach others.
type ReachOptions struct {
	// Targets are "tcp:HOST:PORT", where a pod of the same Token must answer, or "dns:NAME",
	// which the pod's own resolver must find. The first one decides whether the pod is ready.
	Targets []string
	// Listen are ports on which to answer with Token.
	Listen []int
	// Token is what the pods of one proof know each other by.
	Token string
	// ReadyPort answers GET /ready: 2xx while the first target is reached, or if there is none.
	ReadyPort int
	// For ends the measurement; it lasts until it is told to end if zero.
	For time.Duration
	// Enough ends it earlier, when each target was reached that many times in a row, and
	// newcomerTime is over: until then a new pod may be let through by mistake. 0: never.
	Enough int
}

// Args returns the arguments with which cmd/probe does the same.
func (o ReachOptions) Args() []string {
	args := []string{"reach", "--token=" + o.Token, "--ready-port=" + strconv.Itoa(o.ReadyPort)}
	for _, port := range o.Listen {
		args = append(args, "--listen="+strconv.Itoa(port))
	}
	for _, target := range o.Targets {
		args = append(args, "--target="+target)
	}
	if o.For > 0 {
		args = append(args, "--for="+o.For.String())
	}
	if o.Enough > 0 {
		args = append(args, "--enough="+strconv.Itoa(o.Enough))
	}
	return args
}

// ReachResult is what a pod reached, and when.
type ReachResult struct {
	Targets []Reached `json:"targets,omitempty"`
}

// Reached is one target's story.
type Reached struct {
	Target string  `json:"target"`
	Phases []Phase `json:"phases,omitempty"`
	// Left says that phases in the middle were left out, for want of room.
	Left bool `json:"left,omitempty"`
}

// Phase is a time during which all tries ended alike.
type Phase struct {
	// Trouble is nil where the target was reached.
	Trouble *Trouble `json:"trouble,omitempty"`
	Tries   int      `json:"tries"`
	// From is when the first try began, To when the last one ended, in milliseconds since the
	// measurement began.
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// OK says that the target was reached.
func (p Phase) OK() bool { return p.Trouble == nil }

// Last is the phase that the measurement ended in, and nil where nothing was tried.
func (r Reached) Last() *Phase {
	if len(r.Phases) == 0 {
		return nil
	}
	return &r.Phases[len(r.Phases)-1]
}

// Reach answers and tries until ctx ends, its time is over, or it has seen enough. What it
// cannot listen on is an error.
func Reach(ctx context.Context, o ReachOptions) (ReachResult, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if o.For > 0 {
		ctx, stop = context.WithTimeout(ctx, o.For)
		defer stop()
	}
	for _, port := range o.Listen {
		listener, err := listenOn(ctx, port)
		if err != nil {
			return ReachResult{}, err
		}
		defer listener.Close()
		go greet(listener, o.Token)
	}
	r := &reacher{options: o, began: time.Now(), stories: make([]Reached, len(o.Targets)), row: make([]int, len(o.Targets))}
	if o.ReadyPort != 0 {
		listener, err := listenOn(ctx, o.ReadyPort)
		if err != nil {
			return ReachResult{}, err
		}
		server := &http.Server{Handler: http.HandlerFunc(r.ready), ReadHeaderTimeout: serveHeaderTime}
		defer server.Close()
		go server.Serve(listener)
	}
	var group sync.WaitGroup
	for i, target := range o.Targets {
		r.stories[i].Target = target
		group.Go(func() { r.follow(ctx, i, stop) })
	}
	<-ctx.Done()
	group.Wait()
	return ReachResult{Targets: r.stories}, nil
}

// greet says the token to whoever connects: a proxy that answers in the pod's place does not
// know it.
func greet(listener net.Listener, token string) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer connection.Close()
			connection.SetDeadline(time.Now().Add(reachTry))
			io.WriteString(connection, token+"\n")
		}()
	}
}

// reacher keeps what was seen so far.
type reacher struct {
	options ReachOptions
	began   time.Time
	mutex   sync.Mutex
	stories []Reached
	// row is how many tries in a row reached each target.
	row []int
}

// follow tries one target until ctx ends; it calls enough when all targets were reached often
// enough.
func (r *reacher) follow(ctx context.Context, i int, enough func()) {
	target := r.options.Targets[i]
	for ctx.Err() == nil {
		from := time.Since(r.began).Milliseconds()
		err := try(ctx, target, r.options.Token)
		if ctx.Err() != nil {
			return // cut off in the middle, it tells nothing
		}
		if r.note(i, from, time.Since(r.began).Milliseconds(), err) {
			enough()
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(reachPause):
		}
	}
}

// note adds a try to the target's story, and says whether that is enough.
func (r *reacher) note(i int, from, to int64, err error) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	var trouble *Trouble
	r.row[i]++
	if err != nil {
		trouble = networkTrouble(err)
		trouble.Message = shortTo(reachText, trouble.Message)
		r.row[i] = 0
	}
	story := &r.stories[i]
	last := story.Last()
	if last != nil && (last.Trouble == nil) == (trouble == nil) && (trouble == nil || trouble.Kind == last.Trouble.Kind) {
		last.Tries, last.To = last.Tries+1, to
	} else {
		story.Phases = append(story.Phases, Phase{Trouble: trouble, Tries: 1, From: from, To: to})
	}
	if len(story.Phases) > reachPhases {
		// How it began and how it ended is what tells most.
		story.Phases, story.Left = append(story.Phases[:2:2], story.Phases[3:]...), true
	}
	for _, row := range r.row {
		if r.options.Enough == 0 || row < r.options.Enough || to <= newcomerTime.Milliseconds() {
			return false
		}
	}
	return true
}

func (r *reacher) ready(w http.ResponseWriter, request *http.Request) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if len(r.stories) > 0 {
		if last := r.stories[0].Last(); last == nil || !last.OK() {
			http.Error(w, "not reached", http.StatusServiceUnavailable)
			return
		}
	}
	io.WriteString(w, "ready\n")
}

// try is one attempt to reach a target.
func try(ctx context.Context, target, token string) error {
	ctx, cancel := context.WithTimeout(ctx, reachTry)
	defer cancel()
	if name, is := strings.CutPrefix(target, ReachDNS); is {
		_, err := lookup(ctx, name, "")
		return err
	}
	address, is := strings.CutPrefix(target, ReachTCP)
	if !is {
		return &Trouble{Kind: Other, Message: "no target: " + short(target)}
	}
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer connection.Close()
	limit(ctx, connection)
	line, err := bufio.NewReader(io.LimitReader(connection, int64(len(token)+1))).ReadString('\n')
	if err != nil {
		return err
	}
	if line != token+"\n" {
		return &Trouble{Kind: BadAnswer, Message: fmt.Sprintf("%q answers, and not the pod that was meant", short(line))}
	}
	return nil
}
