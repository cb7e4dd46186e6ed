package storage

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

func trouble(kind string) *probe.Trouble { return &probe.Trouble{Kind: kind, Message: "open /data/x"} }

func written() probe.DiskResult {
	return probe.DiskResult{Written: &probe.Written{Bytes: 100, SHA256: "aa"}}
}

func verified(sum string, match bool) probe.DiskResult {
	return probe.DiskResult{Verified: &probe.Verified{Bytes: 100, SHA256: sum, Match: match, FirstWrong: 7}}
}

func TestWriting(t *testing.T) {
	wantFinding(t, judgeWritten(written()), "")
	for kind, words := range map[string]string{
		probe.ReadOnly:      "read-only",
		probe.Denied:        "the volume belongs to 0:0, mode drwxr-xr-x",
		probe.NoSpace:       "backend is full",
		probe.QuotaExceeded: "quota of the storage backend",
		probe.IOError:       "device",
		probe.Other:         "open /data/x",
	} {
		wantFinding(t, judgeWritten(probe.DiskResult{Trouble: trouble(kind), Step: "write", Volume: probe.Volume{Mode: "drwxr-xr-x"}}), words)
	}
	for _, r := range []probe.DiskResult{{}, {Trouble: trouble(probe.Stopped)}} {
		wantUndecided(t, judgeWritten(r))
	}
}

func TestReading(t *testing.T) {
	wantFinding(t, judgeRead(written(), verified("aa", true)), "")
	wantFinding(t, judgeRead(written(), verified("bb", false)), "wrong from byte 7 of 100")
	wantFinding(t, judgeRead(written(), verified("bb", true)), "not the same") // two data of one seed
	wantFinding(t, judgeRead(written(), probe.DiskResult{Trouble: trouble(probe.Missing)}), "the data is lost")
	wantFinding(t, judgeRead(written(), probe.DiskResult{Trouble: trouble(probe.Stale)}), "failover")
	wantUndecided(t, judgeRead(written(), probe.DiskResult{}))
}

func TestGrowing(t *testing.T) {
	from, to := resource.MustParse("1Gi"), resource.MustParse("2Gi")
	grown := func(ok, intact bool, trouble *probe.Trouble) probe.DiskResult {
		return probe.DiskResult{Grown: &probe.Grown{From: 1 << 30, To: 1 << 30, OK: ok, Intact: intact, Seconds: 20}, Trouble: trouble}
	}
	refused := finding.Failed("claim grows", "only dynamically provisioned pvc can be resized", "refused", "allow it")
	late := finding.Failed("claim grows", "not in time; last seen: phase Bound, 1Gi", "", "see the events")
	wantFinding(t, judgeGrown(grown(true, true, nil), nil, from, to), "")
	wantFinding(t, judgeGrown(grown(false, true, nil), nil, from, to), "after 20 s the filesystem still has 1.0 GiB")
	wantFinding(t, judgeGrown(grown(true, false, nil), nil, from, to), "not the same after the growth")
	wantFinding(t, judgeGrown(grown(true, false, trouble(probe.IOError)), nil, from, to), "device")
	wantFinding(t, judgeGrown(grown(false, false, nil), refused, from, to), "only dynamically provisioned")
	wantFinding(t, judgeGrown(grown(false, false, nil), late, from, to), "NodeExpandVolume")
	wantUndecided(t, judgeGrown(grown(true, true, nil), finding.NotDecided("", "forbidden", "", ""), from, to))
	wantUndecided(t, judgeGrown(probe.DiskResult{}, nil, from, to))
}

func TestSharing(t *testing.T) {
	good := probe.PairResult{Name: "a", Met: true, Shared: true, Locks: probe.Locks{LockTaken: true, LockHonoured: true, LockReleased: true}}
	with := func(change func(*probe.PairResult)) probe.PairResult {
		r := good
		r.Name = "b"
		change(&r)
		return r
	}
	late := trouble(probe.Timeout)
	for _, c := range []struct {
		name  string
		b     probe.PairResult
		words string
	}{
		{"as it should be", good, ""},
		{"not shared", with(func(r *probe.PairResult) { r.Met, r.Shared, r.Locks, r.Trouble = false, false, probe.Locks{}, late }), "pod b never saw the other pod's file"},
		{"cached", with(func(r *probe.PairResult) { r.Shared, r.Locks, r.Trouble = false, probe.Locks{}, late }), "cache"},
		{"no locks at all", with(func(r *probe.PairResult) { r.Locks, r.Trouble = probe.Locks{}, trouble(probe.NoLocks) }), "SQLite"},
		{"both locked", with(func(r *probe.PairResult) { r.LockHonoured = false }), "both pods got the same lock"},
		{"never released", with(func(r *probe.PairResult) { r.LockReleased, r.Trouble = false, late }), "let go"},
		{"read-only", with(func(r *probe.PairResult) { *r = probe.PairResult{Name: "b", Trouble: trouble(probe.ReadOnly)} }), "read-only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantFinding(t, judgePair(good, c.b, time.Minute), c.words)
			wantFinding(t, judgePair(c.b, good, time.Minute), c.words)
		})
	}
	wantUndecided(t, judgePair(with(func(r *probe.PairResult) { r.Met = false }), good, time.Second))
	wantUndecided(t, judgePair(with(func(r *probe.PairResult) { r.Trouble = trouble(probe.Stopped) }), good, time.Minute))
}

func wantUndecided(t *testing.T, f *finding.Finding) {
	t.Helper()
	if f == nil || !f.Undecided || strings.TrimSpace(f.Found) == "" {
		t.Errorf("want undecided: %+v", f)
	}
}
