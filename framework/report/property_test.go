package report

import "testing"

func TestPropertiesShowTextAsItIsAndTheRestInJSON(t *testing.T) {
	for want, value := range map[string]any{
		`as it is, "quoted"`: `as it is, "quoted"`,
		`{"2 of 2":1}`:       map[string]int{"2 of 2": 1},
		`["a","b"]`:          []string{"a", "b"},
		`2.5`:                2.5,
	} {
		if got := plain(value); got != want {
			t.Errorf("%#v is shown as %s, want %s", value, got, want)
		}
	}
}
