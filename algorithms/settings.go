package algorithms

import "math"

// SettingType is the type of a setting's value.
type SettingType uint8

// The types of settings.
const (
	IntSetting SettingType = iota + 1
	FloatSetting
	BoolSetting
	StringSetting // one of Choices, or any text when there are none
)

// Unbounded is the Max of a Setting without an upper bound.
const Unbounded = math.MaxFloat64

// Setting describes one setting of an algorithm.
type Setting struct {
	Name     string
	Type     SettingType
	Help     string
	Default  string  // text of the default; "" when there is none
	Required bool    // in its Dialect
	Min, Max float64 // range of a number; both 0 means unbounded
	OpenMin  bool    // Min itself is excluded
	OpenMax  bool    // Max itself is excluded
	Choices  []string
	// Dialect names the Katib service that knows this setting ("hyperopt", "optuna", ...);
	// "" means all. Users may write any dialect; the names of one never mean something else in
	// another. A setting of which two services take different values is listed once for each, and
	// the first one, which users meet, must be the wider.
	Dialect string
}

// Values holds the checked settings of one experiment, by name, defaults filled in.
type Values map[string]any // int64, float64, bool or string, as the Setting's Type says
