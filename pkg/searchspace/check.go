package searchspace

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// maxInt is the greatest magnitude up to which every whole number is a float64.
const maxInt = 1 << 53

// Fault is one thing that is wrong with a parameter.
type Fault struct {
	Index   int    // of the parameter
	Name    string // of the parameter
	Field   string // "name", "kind", "distribution", "min", "max", "step", "list" or "activeWhen"
	Problem string
}

func (f *Fault) Error() string {
	return fmt.Sprintf("parameters[%d] (%s): %s", f.Index, f.Name, f.Problem)
}

// checker collects the faults of a Space and fills what it can on the way.
type checker struct {
	space  *Space
	faults []error
}

func (c *checker) fault(i int, field, format string, args ...any) {
	c.faults = append(c.faults, &Fault{Index: i, Name: c.space.params[i].Name, Field: field, Problem: fmt.Sprintf(format, args...)})
}

func (c *checker) check() {
	for i, p := range c.space.params {
		before := len(c.faults)
		c.checkName(i, p)
		switch p.Kind {
		case Double, Int:
			c.checkRange(i, p)
		case Discrete, Categorical:
			c.checkList(i, p)
		default:
			c.fault(i, "kind", "kind %d is not one of double, int, discrete, categorical", p.Kind)
		}
		if len(c.faults) > before {
			continue
		}
		c.addAxis(i, p)
	}
	c.checkConditions()
	c.sort()
}

func (c *checker) checkName(i int, p Parameter) {
	switch first, twice := c.space.index[p.Name]; {
	case p.Name == "":
		c.fault(i, "name", "name is empty")
	case twice:
		c.fault(i, "name", "name is already that of parameters[%d]", first)
	default:
		c.space.index[p.Name] = i
	}
}

func (c *checker) checkRange(i int, p Parameter) {
	if p.Distribution > LogNormal {
		c.fault(i, "distribution", "distribution %d is not one of uniform, logUniform, normal, logNormal", p.Distribution)
	}
	if len(p.Values) > 0 || len(p.Numbers) > 0 {
		c.fault(i, "list", "a range has no list")
	}
	if !c.checkNumbers(i, p) {
		return
	}
	switch {
	case p.Min == p.Max:
		c.fault(i, "max", "min and max are both %s: there is nothing to search, write the value where it is used", number(p.Min))
	case p.Min > p.Max:
		c.fault(i, "max", "max must be above min %s, got %s", number(p.Min), number(p.Max))
	case p.Step < 0:
		c.fault(i, "step", "step must be above 0, got %s", number(p.Step))
	}
	if (p.Distribution == LogUniform || p.Distribution == LogNormal) && p.Min <= 0 {
		c.fault(i, "min", "log scale needs min > 0, got %s", number(p.Min))
	}
}

// checkNumbers reports whether min, max and step are numbers of the parameter's kind.
func (c *checker) checkNumbers(i int, p Parameter) bool {
	before := len(c.faults)
	for _, n := range []struct {
		field string
		value float64
	}{{"min", p.Min}, {"max", p.Max}, {"step", p.Step}} {
		switch {
		case math.IsNaN(n.value) || math.IsInf(n.value, 0):
			c.fault(i, n.field, "%s must be a finite number, got %s", n.field, number(n.value))
		case p.Kind == Int && n.value != math.Trunc(n.value):
			c.fault(i, n.field, "%s of an int must be a whole number, got %s", n.field, number(n.value))
		case p.Kind == Int && math.Abs(n.value) > maxInt:
			c.fault(i, n.field, "%s of an int must be within ±2^53 to be exact, got %s", n.field, number(n.value))
		}
	}
	return len(c.faults) == before
}

func (c *checker) checkList(i int, p Parameter) {
	if p.Min != 0 || p.Max != 0 || p.Step != 0 {
		c.fault(i, "min", "a list has no min, max or step")
	}
	if p.Distribution != Uniform {
		c.fault(i, "distribution", "a list has no distribution")
	}
	if len(p.Values) == 0 {
		c.fault(i, "list", "list is empty")
	}
	first := make(map[string]int, len(p.Values))
	for k, v := range p.Values {
		if j, twice := first[v]; twice {
			c.fault(i, "list", "list[%d] repeats list[%d], %q", k, j, v)
			continue
		}
		first[v] = k
	}
	if p.Kind == Categorical {
		if len(p.Numbers) > 0 {
			c.fault(i, "list", "only a discrete list has numbers")
		}
		return
	}
	c.checkNumberList(i, p)
}

func (c *checker) checkNumberList(i int, p Parameter) {
	if len(p.Numbers) != len(p.Values) {
		c.fault(i, "list", "list has %d texts and %d numbers", len(p.Values), len(p.Numbers))
		return
	}
	for k, v := range p.Numbers {
		text := p.Values[k]
		switch read, err := strconv.ParseFloat(text, 64); {
		case err != nil || math.IsNaN(v) || math.IsInf(v, 0):
			c.fault(i, "list", "list[%d] must be a finite number, got %q", k, text)
		case read != v:
			c.fault(i, "list", "list[%d] is %q, but its number is %s", k, text, number(v))
		case k > 0 && text == p.Values[k-1]: // reported by checkList
		case k > 0 && v == p.Numbers[k-1]:
			c.fault(i, "list", "list[%d] repeats list[%d]: %q and %q are the same number", k, k-1, text, p.Values[k-1])
		case k > 0 && v < p.Numbers[k-1]:
			c.fault(i, "list", "list[%d] is below list[%d]: numbers must ascend", k, k-1)
		}
	}
}

func (c *checker) addAxis(i int, p Parameter) {
	if p.Kind == Discrete || p.Kind == Categorical {
		c.space.axes[i] = newList(p)
		return
	}
	a := newRange(p)
	if a.step > 0 && a.cells < 2 {
		c.fault(i, "step", "step must be at most max - min = %s, got %s", number(p.Max-p.Min), number(p.Step))
	} else {
		c.checkLength(i, p, &a)
	}
	c.space.axes[i] = a
}

// checkLength refuses grids whose cells a coordinate of the unit cube cannot tell apart.
func (c *checker) checkLength(i int, p Parameter, a *axis) {
	implied := p.Step == 0 // of an int: no step is written
	switch exact := a.whole && p.Distribution == Uniform; {
	case a.cells > maxInt && exact && implied:
		c.fault(i, "max", "an int can have at most 2^53 values to be exact; bring min and max closer together")
	case a.cells > maxInt && exact:
		c.fault(i, "step", "grid has more than 2^53 values, widen step %s", number(a.step))
	case exact:
	case a.cells > maxCells && implied:
		c.fault(i, "max", "an int can have at most 2^40 values unless its distribution is uniform; bring min and max closer together")
	case a.cells > maxCells:
		c.fault(i, "step", "grid has more than 2^40 values, widen step %s", number(a.step))
	case a.cells > 0 && a.log && a.max/a.step > maxCells && implied:
		c.fault(i, "max", "max of an int on a log scale must be at most 2^40, got %s", number(a.max))
	case a.cells > 0 && a.log && a.max/a.step > maxCells:
		c.fault(i, "step", "grid is too fine for a log scale: max is more than 2^40 steps of %s", number(a.step))
	}
}

// checkConditions links children to parents.
func (c *checker) checkConditions() {
	t := &c.space.tree
	t.branch = make([]branch, len(c.space.params))
	for i, p := range c.space.params {
		t.branch[i].parent = -1
		if p.ActiveWhen == nil {
			t.roots = append(t.roots, i)
			continue
		}
		parent, ok := c.space.index[p.ActiveWhen.Parent]
		switch {
		case !ok:
			c.fault(i, "activeWhen", "activeWhen names %q, which is no parameter", p.ActiveWhen.Parent)
			continue
		case parent == i:
			c.fault(i, "activeWhen", "activeWhen names the parameter itself")
			continue
		case c.space.params[parent].Kind == Double:
			c.fault(i, "activeWhen", "activeWhen names %s, a double: the parent must be an int, discrete or categorical", p.ActiveWhen.Parent)
			continue
		}
		t.branch[i].parent = parent
		t.branch[parent].children = append(t.branch[parent].children, i)
		t.branch[i].when = c.parentValues(i, parent, p.ActiveWhen.Values)
	}
}

// parentValues reads the values of a condition.
func (c *checker) parentValues(i, parent int, texts []string) []float64 {
	if len(texts) == 0 {
		c.fault(i, "activeWhen", "activeWhen has no values")
	}
	a := &c.space.axes[parent]
	if a.cells == 0 {
		return nil // the parent has faults of its own
	}
	var out []float64
	for _, text := range texts {
		v, err := a.parse(text)
		if err == nil {
			err = a.contains(v)
		}
		switch {
		case err != nil:
			c.fault(i, "activeWhen", "activeWhen value %q is none of %s: %v", text, c.space.params[parent].Name, err)
		case slices.Contains(out, v):
			c.fault(i, "activeWhen", "activeWhen value %q is given twice", text)
		default:
			out = append(out, v)
		}
	}
	return out
}

// sort puts parents before children, and reports the parameters that wait for each other.
func (c *checker) sort() {
	t := &c.space.tree
	placed := make([]bool, len(t.branch))
	for i := range t.branch {
		var path []int
		k := i
		for ; k >= 0 && !placed[k]; k = t.branch[k].parent {
			if slices.Contains(path, k) {
				c.fault(i, "activeWhen", "activeWhen leads back to %s through %s", c.space.params[k].Name, c.space.params[t.branch[k].parent].Name)
				break
			}
			path = append(path, k)
		}
		for _, k := range slices.Backward(path) {
			placed[k] = true
			c.space.order = append(c.space.order, k)
		}
	}
}
