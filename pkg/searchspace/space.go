package searchspace

// Space is a checked list of parameters. It is immutable.
type Space struct {
	params []Parameter
}
