package bayes

// fits tells who listens when a model is fitted.
type fits struct{ begin func() (end func()) } // nil: nobody listens

// OnFit implements [algorithms.Fitter].
func (f *fits) OnFit(begin func() (end func())) { f.begin = begin }

// fitting says that a fit begins, and returns what says that it has ended.
func (f *fits) fitting() (end func()) {
	if f.begin == nil {
		return func() {}
	}
	return f.begin()
}
