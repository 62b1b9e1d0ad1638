package server

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"math"
	"slices"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Sizes of a page of a list.
const (
	defaultPage      = 100
	largestPage      = 1000
	defaultReadings  = 1000
	largestReadings  = 10_000
	longestRequestID = 256     // bytes
	pageBytes        = 2 << 20 // of the trials of a page, unless one is larger: clients take 4 MiB
)

// place is where a page ends: the next one begins behind it, whatever has been added since.
type place struct {
	List   uint64  `json:"l"`           // of which list, see listHash
	Text   string  `json:"t,omitempty"` // what the list is ordered by
	Number float64 `json:"-"`
	Bits   uint64  `json:"v,omitempty"` // of Number: JSON has no infinity
	None   bool    `json:"m,omitempty"` // there is nothing to order by
	At     uint64  `json:"n,omitempty"` // number of the trial, event or measurement

	Attempt int `json:"a,omitempty"` // whose measurements these are; Text is their source
}

// listHash tells apart lists, for a token of one is of no use in another.
func listHash(parts ...string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(strings.Join(parts, "\x00"))) // never fails, see hash.Hash
	return h.Sum64()
}

func (p place) token() string {
	p.Bits = math.Float64bits(p.Number)
	text, _ := json.Marshal(p) // there is nothing that JSON has not
	return base64.RawURLEncoding.EncodeToString(text)
}

// begin reads a token; false is for the first page.
func begin(token string, list uint64) (p place, ok bool, err error) {
	if token == "" {
		return place{List: list}, false, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil || p.List != list || p.At > math.MaxInt64 || p.Attempt < 0 {
		return p, false, fail(reasonPage, "page_token %q: want one that a page of the same list gave", token)
	}
	p.Number = math.Float64frombits(p.Bits)
	return p, true, nil
}

// pageSize checks the size of a page.
func pageSize(given int32, usual, largest int) (int, error) {
	if given < 0 || int(given) > largest {
		return 0, fail(reasonPage, "page_size %d: want 0 to %d", given, largest)
	}
	return cmp.Or(int(given), usual), nil
}

// order is what a list of trials is ordered by.
type order struct {
	field      string // number, value, finished, state or param.NAME
	descending bool
}

func parseOrder(text string) (order, error) {
	field, direction, _ := strings.Cut(strings.TrimSpace(text), " ")
	o := order{field: cmp.Or(field, "number"), descending: direction == "desc"}
	if direction != "" && direction != "desc" && direction != "asc" {
		return o, fail(reasonOrder, "order_by %q: want FIELD or FIELD desc", text)
	}
	switch {
	case o.field == "number" || o.field == "value" || o.field == "finished" || o.field == "state":
	case strings.HasPrefix(o.field, "param."):
	default:
		return o, fail(reasonOrder, "order_by %q: want number, value, finished, state or param.NAME", text)
	}
	return o, nil
}

// of returns the place of a trial in the order.
func (o order) of(s *experiment.Spec, t *experiment.Trial) place {
	p := place{At: t.Number}
	switch o.field {
	case "number":
	case "value":
		p.Number = valueOf(s, t)
	case "finished":
		p.Number, p.None = float64(t.FinishNo), t.FinishNo == 0
	case "state":
		p.Text = string(t.State)
	default:
		p.None = true
		for _, x := range t.Assignment {
			if "param."+x.Name == o.field {
				p.Text, p.Number, p.None = x.Value, experiment.ParseValue(x.Value), false
			}
		}
		if !math.IsNaN(p.Number) {
			p.Text = "" // numbers come before text, by their size
		}
	}
	if math.IsNaN(p.Number) {
		p.Number, p.None = 0, p.None || p.Text == ""
	}
	return p
}

// compare orders two places: those with nothing to order by last, then by number of the trial.
func (o order) compare(a, b place) int {
	if a.None != b.None {
		if a.None {
			return 1
		}
		return -1
	}
	by := cmp.Or(cmp.Compare(a.Text, b.Text), cmp.Compare(a.Number, b.Number))
	if o.field == "number" {
		by = cmp.Compare(a.At, b.At)
	}
	if o.descending {
		by = -by
	}
	return cmp.Or(by, cmp.Compare(a.At, b.At))
}

// first collects the first places behind one, in order, of any number of them.
type first struct {
	order
	after place
	some  bool // after counts
	size  int

	places []place
	behind int // how many come behind after
}

// add takes in a place.
func (f *first) add(p place) {
	if f.some && f.compare(p, f.after) <= 0 {
		return
	}
	f.behind++
	f.places = append(f.places, p)
	if len(f.places) > 2*f.size { // seldom enough to cost no more than a comparison each
		f.cut()
	}
}

// cut keeps the first ones.
func (f *first) cut() {
	slices.SortFunc(f.places, f.compare)
	f.places = f.places[:min(f.size, len(f.places))]
}
