package probe

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// gpuProgram is the program beside this one that loads the driver. It is a process of its own
// because a driver may hang or crash, and because it alone needs glibc, as the driver does.
const gpuProgram = "probe-gpu"

// stageTimes are how many times the usual time those stages have that may need it on a sound
// machine. Without a persistence daemon the first user waits until the driver has set up every
// GPU that it can open: 1 to 3 s each (NVIDIA, Driver Persistence), and a large machine has
// eight.
var stageTimes = map[string]time.Duration{StageInit: 3, StageKernel: 2}

// wholeTime is how many times the usual time all stages have together on one device, so that a
// machine that is slow throughout has a result before its pod's time is over.
const wholeTime = 7

// outside is where the program is while it is in none of the driver's functions.
const outside = "outside of any call to the driver"

// burialTime is how long a killed program may take to die. One that sits in the kernel's part
// of the driver does not die at all, and is left behind.
const burialTime = 2 * time.Second

// GPU tests the devices that this container was given, each layer after the one below it, and
// tells which layer is broken. It needs the program probe-gpu beside the running one.
func GPU(ctx context.Context, o GPUOptions) GPUResult {
	self, err := os.Executable()
	if err != nil { // as without /proc
		self = os.Args[0]
	}
	return superviseGPU(ctx, filepath.Join(filepath.Dir(self), gpuProgram), o.withDefaults())
}

func superviseGPU(ctx context.Context, program string, o GPUOptions) GPUResult {
	s := &supervisor{options: o, program: program}
	began := time.Now()
	detail, trouble := lookAtFiles(o)
	s.ended(GPUStage{Name: StageFiles, Ms: milliseconds(time.Since(began)), Detail: detail, Trouble: trouble})
	if trouble == nil {
		s.run(ctx, StageLibrary, o.flags())
	}
	if s.result.Stage(StageHealth) == nil && !o.NoGPU && ctx.Err() == nil && s.startable() {
		// The devices may still be able to say why they do not work.
		s.run(ctx, StageHealth, append(o.flags(), "--health"))
	}
	if o.NoGPU {
		s.countFiles()
	}
	return s.result.fitted()
}

// supervisor follows one probe-gpu after another, and keeps what they say.
type supervisor struct {
	options GPUOptions
	program string
	result  GPUResult
	// stage is the one that is under way since began, empty between two; call is the driver's
	// function that was entered last in it.
	stage, call string
	began       time.Time
}

// startable says whether it is worth the while to start the program again.
func (s *supervisor) startable() bool {
	broken := s.result.Broken()
	return broken == nil || broken.Trouble.Kind != NoGlibc && broken.Trouble.Kind != Missing
}

// countFiles counts device files instead of devices, where no driver was there to ask.
func (s *supervisor) countFiles() {
	library := s.result.Stage(StageLibrary)
	if library == nil || library.Trouble != nil || s.result.Stage(StageInit) == nil {
		gpus, _ := deviceFiles()
		s.result.Count = len(gpus)
	}
}

// run starts the program and follows it to its end. If it says nothing, first is the stage
// that it did not get through.
func (s *supervisor) run(ctx context.Context, first string, args []string) {
	s.begin(first)
	child, err := startChild(s.program, args, libraryPath(s.options.Library))
	if err != nil {
		s.fail(startTrouble(s.program, err))
		return
	}
	deadline, whole := time.NewTimer(s.stageTime()), time.NewTimer(s.wholeTime())
	defer deadline.Stop()
	defer whole.Stop()
	for {
		select {
		case event, more := <-child.events:
			if !more {
				if end := child.end(); s.stage != "" || end.failed() && s.result.Stage(StageHealth) == nil {
					s.fail(end.trouble(s.program, s.call))
				}
				return
			}
			if s.hear(event); event.Call == "" {
				deadline.Reset(s.stageTime())
			}
		case <-deadline.C:
			child.kill()
			s.fail(s.hang())
			return
		case <-whole.C:
			child.kill()
			s.fail(s.slow())
			return
		case <-ctx.Done():
			child.kill()
			s.fail(&Trouble{Kind: Stopped, Message: "told to stop before the stage had ended"})
			return
		}
	}
}

func (s *supervisor) stageTime() time.Duration {
	return max(1, stageTimes[s.stage]) * s.options.StageTime
}

func (s *supervisor) wholeTime() time.Duration {
	return wholeTime * time.Duration(s.options.Expect) * s.options.StageTime
}

func (s *supervisor) hear(event GPUEvent) {
	switch {
	case event.Begin != "":
		s.begin(event.Begin)
	case event.Call != "":
		s.call = event.Call
	case event.Stage != nil:
		s.ended(*event.Stage)
	}
	if event.Result != nil {
		s.learn(*event.Result)
	}
}

// learn keeps what a program knows. The one that asks for the health alone knows nothing else.
func (s *supervisor) learn(facts GPUResult) {
	known := &s.result
	if facts.CUDA != "" {
		known.CUDA, known.Count, known.Devices, known.Rates = facts.CUDA, facts.Count, facts.Devices, facts.Rates
	}
	if facts.Driver != "" {
		known.Driver = facts.Driver
	}
	if facts.Health != nil {
		known.Health = facts.Health
	}
	known.Simulated = known.Simulated || facts.Simulated
}

func (s *supervisor) begin(stage string) {
	if stage != s.stage { // else it goes on to the next device
		s.began = time.Now()
	}
	s.stage, s.call = stage, ""
}

func (s *supervisor) ended(stage GPUStage) {
	s.result.Stages = append(s.result.Stages, stage)
	s.stage, s.call = "", ""
}

// fail ends the stage that was under way, in the words of whoever survived.
func (s *supervisor) fail(trouble *Trouble) {
	name := s.stage
	if name == "" { // between two stages
		name = s.result.Stages[len(s.result.Stages)-1].Name
	}
	took := milliseconds(time.Since(s.began))
	stage := GPUStage{Name: name, Ms: took, Call: s.call, Trouble: trouble}
	if s.call != "" {
		stage.DriverMs = took
	}
	s.ended(stage)
}

// hang names the driver's function that does not return.
func (s *supervisor) hang() *Trouble {
	if s.call == "" {
		return &Trouble{Kind: DriverHangs, Message: fmt.Sprintf("no answer within %v, %s: the container may have too little CPU", s.stageTime(), outside)}
	}
	what := "the GPU or the driver is stuck: look for Xid messages and for \"NVRM\" in the node's kernel log (dmesg); the GPU must be reset or the node restarted"
	switch s.stage {
	case StageLibrary, StageInit:
		what = "the kernel's part of the driver does not answer: look at the node's kernel log (dmesg) for \"NVRM\" and Xid; without a persistence daemon the first use of a large machine may take longer (--stage-time)"
	case StageKernel:
		what = "the driver's compiler does not end: the container may have too little CPU"
	}
	return &Trouble{Kind: DriverHangs, Message: fmt.Sprintf("driver hangs in %s (no answer within %v): %s", s.call, s.stageTime(), what)}
}

// slow is for a test none of whose stages hangs, but all of which take long.
func (s *supervisor) slow() *Trouble {
	where := outside
	if s.call != "" {
		where = "in " + s.call
	}
	return &Trouble{Kind: DriverHangs, Message: fmt.Sprintf("no end within %v, though no stage has taken all its time; it was %s at last: "+
		"the container may have too little CPU, or the GPU be shared with too many", s.wholeTime(), where)}
}

// child is a running probe-gpu.
type child struct {
	command *exec.Cmd
	events  chan GPUEvent
	ended   chan error
	// words are the first that it wrote on its standard error.
	words *head
}

func startChild(program string, args []string, libraries string) (*child, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c := &child{command: exec.Command(program, args...), events: make(chan GPUEvent), ended: make(chan error, 1), words: &head{}}
	c.command.Stdout, c.command.Stderr = writer, c.words
	// Compiled anew and at once: a cache would hide a compiler that does not work, and a lazy
	// driver would show it only later.
	c.command.Env = append(os.Environ(), "LD_LIBRARY_PATH="+libraries, "CUDA_CACHE_DISABLE=1", "CUDA_MODULE_LOADING=EAGER")
	c.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// Else a process that the driver left behind with our pipe would keep us waiting.
	c.command.WaitDelay = burialTime
	err = c.command.Start()
	writer.Close()
	if err != nil {
		reader.Close()
		return nil, err
	}
	go c.read(reader)
	go func() {
		err := c.command.Wait()
		// What it wrote is read by then, but a process that the driver left behind may hold the pipe.
		_ = reader.SetReadDeadline(time.Now().Add(burialTime))
		c.ended <- err
	}()
	return c, nil
}

// read passes events on until the program ends. Lines that are none are the library's.
func (c *child) read(from io.ReadCloser) {
	defer close(c.events)
	defer from.Close()
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event GPUEvent
		if json.Unmarshal(lines.Bytes(), &event) == nil {
			c.events <- event
		}
	}
}

// kill ends the program, and waits a little for it.
func (c *child) kill() {
	_ = syscall.Kill(-c.command.Process.Pid, syscall.SIGKILL)
	go func() {
		for range c.events { // the reader may be about to pass one on
		}
	}()
	c.end()
}

// end waits for the program's end, but not for ever.
func (c *child) end() childEnd {
	select {
	case err := <-c.ended:
		return childEnd{state: c.command.ProcessState, err: err, words: c.words.String()}
	case <-time.After(2 * burialTime):
		return childEnd{err: errors.New("it closed its output, but does not end")}
	}
}

// head keeps the first 4 KiB that are written to it: what a crash says comes before its traces.
type head struct{ text []byte }

func (h *head) Write(p []byte) (int, error) {
	h.text = append(h.text, p[:min(len(p), 4096-len(h.text))]...)
	return len(p), nil
}

func (h *head) String() string { return strings.TrimSpace(string(h.text)) }
