package progress

import (
	"path/filepath"
	"sync"
	"testing"

	"aiv.internal/conformance/framework/verdict"
)

func TestEventsOfSeveralWorkersArriveAndTheChannelEnds(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	const workers, each = 4, 50
	var sending sync.WaitGroup
	for range workers {
		sender, err := Dial(socket)
		if err != nil {
			t.Fatal(err)
		}
		sending.Go(func() {
			defer sender.connection.Close()
			for range each {
				if err := sender.Send(Event{Result: &verdict.Result{ID: "1.1.1", Verdict: verdict.Passed}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() {
		sending.Wait()
		listener.Close()
	}()
	got := 0
	for event := range listener.Events() {
		if event.Result == nil || event.Result.ID != "1.1.1" {
			t.Fatalf("unexpected event %+v", event)
		}
		got++
	}
	if got != workers*each {
		t.Fatalf("%d events arrived, want %d", got, workers*each)
	}
}
