package gp

// columns is a matrix of n rows, stored by column so that loops over rows are contiguous.
type columns struct {
	values []float64
	width  int
	stride int // rows there is room for, a multiple of lanes
	n      int
}

// room makes room for n rows and keeps those there are.
func (c *columns) room(n int) {
	if n <= c.stride {
		return
	}
	stride := roundUp(max(n, 2*c.stride))
	values := make([]float64, c.width*stride)
	for k := range c.width {
		copy(values[k*stride:], c.column(k))
	}
	c.values, c.stride = values, stride
}

func (c *columns) column(k int) []float64 { return c.values[k*c.stride:][:c.n] }

// append adds a row.
func (c *columns) append(row []float64) {
	c.room(c.n + 1)
	for k, v := range row {
		c.values[k*c.stride+c.n] = v
	}
	c.n++
}

// remove takes out row i.
func (c *columns) remove(i int) {
	for k := range c.width {
		column := c.column(k)
		copy(column[i:], column[i+1:])
	}
	c.n--
}
