package checklist

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// NoMatchError says that a word of --focus or --skip selects nothing.
type NoMatchError struct {
	// Flag is "focus" or "skip".
	Flag string
	// Token is what was asked for.
	Token string
	// Near are the words that might have been meant, likeliest first.
	Near []string
}

func (e *NoMatchError) Error() string {
	text := fmt.Sprintf("--%s=%s matches nothing", e.Flag, e.Token)
	if len(e.Near) == 0 {
		return text + `; "runner list" shows topics, numbers and titles`
	}
	quoted := make([]string, len(e.Near))
	for i, near := range e.Near {
		quoted[i] = fmt.Sprintf("%q", near)
	}
	return text + "; did you mean " + strings.Join(quoted, " or ") + "?"
}

// Select returns the IDs of the items that focus names and skip does not; an empty focus names all.
//
// A token is a topic ("gpu"), the number of a section, a subsection or an item ("6", "6.1",
// "6.1.4.1"; what is nested below comes along), or a regular expression over titles, in which case
// does not matter. An option has no verdict of its own: whoever names it means its parent, and
// it is in the result exactly if its parent is. A token that names nothing is a *NoMatchError.
func (c *Catalogue) Select(focus, skip []string) (map[string]bool, error) {
	selected := map[string]bool{}
	for _, item := range c.Items() {
		selected[item.ID] = len(focus) == 0
	}
	for _, pass := range []struct {
		flag   string
		tokens []string
		value  bool
	}{{"focus", focus, true}, {"skip", skip, false}} {
		for _, token := range pass.tokens {
			ids, err := c.named(pass.flag, strings.TrimSpace(token))
			if err != nil {
				return nil, err
			}
			for _, id := range ids {
				selected[id] = pass.value
			}
		}
	}
	for _, item := range c.Items() {
		if item.Kind == Option {
			selected[item.ID] = selected[item.Parent]
		}
		if !selected[item.ID] {
			delete(selected, item.ID)
		}
	}
	return selected, nil
}

var number = regexp.MustCompile(`^(\d+|[SN])(\.[\w-]+)*$`)

// named returns the IDs of the items that one token names.
func (c *Catalogue) named(flag, token string) ([]string, error) {
	match := c.byTopic(token)
	if match == nil {
		if upper := strings.ToUpper(token[:min(1, len(token))]) + token[min(1, len(token)):]; number.MatchString(upper) {
			match = func(i Item) bool { return under(i.ID, upper) || under(i.Section, upper) || under(i.Subsection, upper) }
		} else {
			re, err := regexp.Compile("(?i)" + token)
			if err != nil || token == "" {
				return nil, fmt.Errorf("--%s=%s is no topic, no number and no regular expression over titles (%w)", flag, token, err)
			}
			match = c.byTitle(re)
		}
	}
	var ids []string
	for _, item := range c.Items() {
		if match(item) {
			if item.Kind == Option {
				ids = append(ids, item.Parent)
			} else {
				ids = append(ids, item.ID)
			}
		}
	}
	if len(ids) == 0 {
		return nil, &NoMatchError{Flag: flag, Token: token, Near: c.near(token)}
	}
	return ids, nil
}

// under reports whether id is number or nested below it.
func under(id, number string) bool {
	return id == number || strings.HasPrefix(id, number+".")
}

// byTopic returns nil if there is no such topic.
func (c *Catalogue) byTopic(token string) func(Item) bool {
	topic := strings.ToLower(token)
	if !slices.Contains(c.Topics(), topic) {
		return nil
	}
	return func(i Item) bool { return slices.Contains(i.Topics, topic) }
}

// byTitle matches an item by its own title and by those of what it stands in.
func (c *Catalogue) byTitle(re *regexp.Regexp) func(Item) bool {
	return func(i Item) bool {
		parent, _ := c.Item(i.Parent)
		subsection, _ := c.SubsectionOf(i.ID)
		section, _ := c.SectionOf(i.ID)
		return re.MatchString(i.Title) || re.MatchString(subsection.Title) || re.MatchString(section.Title) ||
			parent.Kind == Group && re.MatchString(parent.Title)
	}
}

// Topics returns all topics, sorted.
func (c *Catalogue) Topics() []string {
	var topics []string
	for _, item := range c.Items() {
		topics = append(topics, item.Topics...)
	}
	for _, section := range c.Sections {
		for _, subsection := range section.Subsections {
			topics = append(topics, subsection.Topics...)
		}
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

// near returns what a token that matches nothing may have meant.
func (c *Catalogue) near(token string) []string {
	if number.MatchString(token) {
		// "6.1.9" was meant to be something in the nearest place that exists.
		for at := token; strings.Contains(at, "."); {
			at = at[:strings.LastIndex(at, ".")]
			if _, ok := c.SectionOf(at); ok {
				return []string{at}
			}
		}
		return nil
	}
	words := c.Topics()
	for _, item := range c.Items() {
		words = append(words, item.Title)
		words = append(words, strings.Fields(strings.ToLower(item.Title))...)
	}
	near := Nearest(token, words)
	// "gpuu" is as near to the topic "gpu" as to the word "gpus": a topic is the likelier wish.
	topics := Nearest(token, c.Topics())
	if len(topics) > 0 && distance(token, topics[0]) <= distance(token, near[0]) {
		return topics
	}
	return near
}

// Nearest returns up to three of words that are a few typing errors away from word, nearest first.
func Nearest(word string, words []string) []string {
	type candidate struct {
		word     string
		distance int
	}
	limit := max(1, len(word)/3)
	var found []candidate
	for _, w := range words {
		if d := distance(strings.ToLower(word), strings.ToLower(w)); d <= limit {
			found = append(found, candidate{w, d})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var near []string
	for _, f := range found {
		if !slices.Contains(near, f.word) && len(near) < 3 {
			near = append(near, f.word)
		}
	}
	return near
}

// distance counts the typing errors between a and b: a letter too many, missing, wrong, or two
// neighbours swapped.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	var before []int
	last := make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row := make([]int, len(y)+1)
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(y)]
}
