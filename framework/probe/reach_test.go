package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// reachHere runs it until the test stops it, and returns what it saw.
func reachHere(t *testing.T, o ReachOptions) (stop func() ReachResult) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	type end struct {
		result ReachResult
		err    error
	}
	ended := make(chan end, 1)
	go func() {
		result, err := Reach(ctx, o)
		ended <- end{result, err}
	}()
	return func() ReachResult {
		cancel()
		e := <-ended
		if e.err != nil {
			t.Error(e.err)
		}
		return e.result
	}
}

// readyIs waits until /ready answers with the status.
func readyIs(t *testing.T, port, status int) {
	t.Helper()
	last := 0
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, ReadyPath))
		if err != nil {
			continue
		}
		answer.Body.Close()
		if last = answer.StatusCode; last == status {
			return
		}
	}
	t.Fatalf("ready answers %d, want %d", last, status)
}

// What is reached shows in /ready at once, and in the story at the end.
func TestReachTellsTheStory(t *testing.T) {
	server, serverReady, clientReady := freePort(t), freePort(t), freePort(t)
	target := fmt.Sprintf("%s127.0.0.1:%d", ReachTCP, server)
	end := reachHere(t, ReachOptions{Token: "proof", ReadyPort: clientReady, Targets: []string{target}})
	readyIs(t, clientReady, http.StatusServiceUnavailable)
	endServer := reachHere(t, ReachOptions{Token: "proof", Listen: []int{server}, ReadyPort: serverReady})
	readyIs(t, serverReady, http.StatusOK)
	readyIs(t, clientReady, http.StatusOK)
	endServer()
	readyIs(t, clientReady, http.StatusServiceUnavailable)
	story := end().Targets[0]
	if len(story.Phases) != 3 || story.Phases[0].OK() || !story.Phases[1].OK() || story.Last().OK() || story.Last().Trouble.Kind != Refused {
		t.Fatalf("%+v", story)
	}
	for i, phase := range story.Phases {
		if phase.Tries == 0 || phase.To < phase.From || i > 0 && phase.From < story.Phases[i-1].To {
			t.Errorf("%+v", story.Phases)
		}
	}
}

func TestReachEnds(t *testing.T) {
	server := freePort(t)
	target := fmt.Sprintf("%s127.0.0.1:%d", ReachTCP, server)
	began := time.Now()
	result, err := Reach(t.Context(), ReachOptions{Token: "proof", Listen: []int{server}, Targets: []string{target}, Enough: 3, For: time.Minute})
	if err != nil || time.Since(began) > 30*time.Second || result.Targets[0].Last().Tries < 3 || !result.Targets[0].Last().OK() || result.Targets[0].Last().To <= newcomerTime.Milliseconds() {
		t.Errorf("%+v, %v", result, err)
	}
	result, err = Reach(t.Context(), ReachOptions{Token: "proof", Targets: []string{ReachTCP + "127.0.0.1:1"}, Enough: 1, For: 600 * time.Millisecond})
	if err != nil || result.Targets[0].Last().OK() {
		t.Errorf("%+v, %v", result, err)
	}
}

// Whoever answers in the pod's place is not the pod.
func TestReachKnowsItsOwn(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go greet(listener, "other")
	if err := try(t.Context(), ReachTCP+listener.Addr().String(), "proof"); networkTrouble(err).Kind != BadAnswer {
		t.Errorf("%v", err)
	}
	if err := try(t.Context(), ReachDNS+"localhost", ""); err != nil {
		t.Error(err)
	}
	if err := try(t.Context(), ReachDNS+"no-such-name.invalid", ""); err == nil {
		t.Error("a name that cannot be resolves")
	}
}

// However much it saw, a termination message has room for it.
func TestReachFits(t *testing.T) {
	targets := []string{strings.Repeat("a", 100), strings.Repeat("b", 100)}
	r := &reacher{options: ReachOptions{Targets: targets}, stories: make([]Reached, len(targets)), row: make([]int, len(targets))}
	for i, target := range targets {
		r.stories[i].Target = target
		for n := range int64(500) {
			var err error
			if n%2 == 0 {
				err = &Trouble{Kind: NoSuchHost, Message: strings.Repeat("x", 1000)}
			}
			r.note(i, n*100_000, n*100_000+99_999, err)
		}
	}
	text, err := json.Marshal(ReachResult{Targets: r.stories})
	if err != nil || len(text) > maxResult {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if first := r.stories[0].Phases[0]; first.From != 0 || !r.stories[0].Left || !r.stories[0].Last().OK() {
		t.Errorf("%+v", r.stories[0])
	}
}
