package answers

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	// The image that the runner ships in has no time zones of its own.
	_ "time/tzdata"

	"k8s.io/apimachinery/pkg/api/resource"
)

// scalar is a type that is written as one word in the answers file.
type scalar interface {
	// parse reads the word; its error says what was expected.
	parse(text string) error
}

// Date is a day, 2026-11-23, in the zone of the runner.
type Date struct{ time.Time }

func (d *Date) parse(text string) (err error) {
	if d.Time, err = time.ParseInLocation(time.DateOnly, text, time.Local); err != nil {
		return fmt.Errorf("%q is no date; it is written 2026-11-23", text)
	}
	return nil
}

// End returns the moment at which the day is over.
func (d Date) End() time.Time { return d.AddDate(0, 0, 1) }

// Includes tells whether a moment lies on the day somewhere on earth: what people read a date
// from shows it in the zone of whoever looks.
func (d Date) Includes(at time.Time) bool {
	written := d.Format(time.DateOnly)
	from, to := at.UTC().Add(-12*time.Hour), at.UTC().Add(14*time.Hour)
	return from.Format(time.DateOnly) <= written && written <= to.Format(time.DateOnly)
}

// String renders the day as it is written, "" if there is none.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return d.Format(time.DateOnly)
}

// Time is a moment with its zone: 2026-12-05 18:00 Europe/Berlin or 2026-12-05T18:00:00+01:00.
type Time struct{ time.Time }

func (t *Time) parse(text string) (err error) {
	if t.Time, err = time.Parse(time.RFC3339, text); err == nil {
		return nil
	}
	if cut := strings.LastIndex(text, " "); cut > 0 {
		zone, zoneErr := time.LoadLocation(text[cut+1:])
		if zoneErr == nil && text[cut+1:] != "" {
			if t.Time, err = time.ParseInLocation("2006-01-02 15:04", text[:cut], zone); err == nil {
				return nil
			}
		}
	}
	return fmt.Errorf("%q is no moment with a time zone; it is written 2026-12-05 18:00 Europe/Berlin or 2026-12-05T18:00:00+01:00", text)
}

// Duration is a length of time: 90s, 30m, 4h, 1h30m, 7d, 2w, 10y.
type Duration struct {
	time.Duration
	// Text is how it was written.
	Text string
}

// The lengths that Go's own durations do not know.
var longUnits = map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "y": 365 * 24 * time.Hour}

var longDuration = regexp.MustCompile(`^(\d+)\s*([dwy])$`)

func (d *Duration) parse(text string) error {
	value, err := time.ParseDuration(strings.ReplaceAll(text, " ", ""))
	if m := longDuration.FindStringSubmatch(text); m != nil {
		var n int
		n, err = strconv.Atoi(m[1])
		value = time.Duration(n) * longUnits[m[2]]
		if err == nil && n > 0 && value/time.Duration(n) != longUnits[m[2]] {
			err = strconv.ErrRange
		}
	}
	if err != nil || value < 0 {
		return fmt.Errorf("%q is no length of time; it is written 30m, 4h, 7d, 2w or 10y", text)
	}
	d.Duration, d.Text = value, text
	return nil
}

// String renders the duration as it was written.
func (d Duration) String() string {
	if d.Text == "" && d.Duration != 0 {
		return d.Duration.String()
	}
	return d.Text
}

// Quantity is an amount of storage as Kubernetes writes it: 10Gi.
type Quantity struct{ resource.Quantity }

func (q *Quantity) parse(text string) (err error) {
	if q.Quantity, err = resource.ParseQuantity(text); err != nil || q.Sign() <= 0 {
		return fmt.Errorf("%q is no amount; it is written 10Gi or 1Ti", text)
	}
	return nil
}

// Percent is a share: 99.9 or 99.9 %.
type Percent float64

func (p *Percent) parse(text string) error {
	value, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(text, "%")), 64)
	if err != nil || !(value > 0 && value <= 100) {
		return fmt.Errorf("%q is no share; it is written 99.9 %%", text)
	}
	*p = Percent(value)
	return nil
}
