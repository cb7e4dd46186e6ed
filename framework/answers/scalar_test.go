package answers

import (
	"testing"
	"time"
)

// A program shows a moment's day in the zone of whoever looks.
func TestDateIncludes(t *testing.T) {
	end := time.Date(2027, 6, 30, 22, 30, 0, 0, time.UTC)
	for text, want := range map[string]bool{"2027-06-29": false, "2027-06-30": true, "2027-07-01": true, "2027-07-02": false} {
		on, err := time.ParseInLocation(time.DateOnly, text, time.Local)
		if err != nil {
			t.Fatal(err)
		}
		if (Date{on}).Includes(end) != want {
			t.Errorf("%s: want %v", text, want)
		}
	}
}
