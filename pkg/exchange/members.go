package exchange

import (
	"bytes"
	"encoding/json"
)

// members are those of a JSON object in their order, which is that of parameters.
type members []member

type member struct {
	name  string
	value json.RawMessage
}

// MarshalJSON writes the object.
func (m members) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, x := range m {
		if i > 0 {
			out = append(out, ',')
		}
		name, err := json.Marshal(x.name)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, name...), ':'), x.value...)
	}
	return append(out, '}'), nil
}

// UnmarshalJSON reads the object; null is an empty one.
func (m *members) UnmarshalJSON(text []byte) error {
	*m = nil
	if string(text) == "null" {
		return nil
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil { // the brace
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return err
		}
		key, _ := name.(string) // a key always is
		if value, first := values[key]; first {
			*m = append(*m, member{key, value})
			delete(values, key) // of a name that stands twice the last value counts
		}
	}
	return nil
}
