package experiment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"
)

// Bounds on what is read, so that hostile text costs little before it is refused.
const (
	maxText   = 1 << 20 // bytes
	maxParts  = 100_000 // lines and commas, which bound what a parser allocates
	maxDepth  = 64      // of mappings and sequences within each other
	maxValues = 100_000 // after aliases are followed
	maxFaults = 100     // that are reported
)

// document is one YAML or JSON document in two forms: the value, as sigs.k8s.io/yaml converts it to
// JSON, and the nodes, which know where in the text each part stands and how it was written.
type document struct {
	tree map[string]any
	root *yaml.Node // of kind MappingNode
}

// parse reads text that holds exactly one document whose top is a mapping. The faults that leave
// nothing to read have a nil document beside them; repeated keys do not (the last one counts).
func parse(text []byte) (*document, Faults) {
	text, fault := decodeText(text)
	if fault != nil {
		return nil, Faults{*fault}
	}
	if fault := indentationLost(text); fault != nil {
		return nil, Faults{*fault}
	}
	root, fault := parseNodes(text)
	if fault != nil {
		return nil, Faults{*fault}
	}
	c := nodeChecker{text: bytes.Clone(text)}
	c.check(root, "", 0)
	if c.fatal {
		return nil, c.faults
	}
	tree, fault := toTree(fromLine(c.text, root.Line))
	if fault != nil {
		return nil, Faults{*fault}
	}
	return &document{tree: tree, root: root}, c.faults
}

// decodeText checks size and encoding, takes a byte order mark away, and has all lines end as the parser and editors
// agree upon.
func decodeText(text []byte) ([]byte, *Fault) {
	if len(text) > maxText {
		return nil, &Fault{
			Line: 1, Column: 1, Type: SyntaxError,
			Detail: fmt.Sprintf("file of %d bytes is larger than %d", len(text), maxText),
		}
	}
	if parts := bytes.Count(text, []byte{'\n'}) + bytes.Count(text, []byte{','}); parts > maxParts {
		return nil, &Fault{
			Line: 1, Column: 1, Type: SyntaxError,
			Detail: fmt.Sprintf("file has %d lines and commas; more than %d are not read", parts, maxParts),
		}
	}
	text = endLines(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	for i, rest := 0, text; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n <= 1 {
			line, column := position(text, i)
			return nil, &Fault{
				Line: line, Column: column, Type: SyntaxError,
				Detail: fmt.Sprintf("byte 0x%02x is no UTF-8 text; save the file as UTF-8", rest[0]),
			}
		}
		if r == '\u0085' || r == '\u2028' || r == '\u2029' {
			line, column := position(text, i)
			return nil, &Fault{
				Line: line, Column: column, Type: SyntaxError,
				Detail: fmt.Sprintf("%U ends a line for YAML and for nothing else; take it out, or write \"\\u%04x\" in double quotes", r, r),
			}
		}
		i, rest = i+n, rest[n:]
	}
	return text, nil
}

// endLines returns the text with a line feed for each carriage return that has none: YAML takes either for the end of a line.
func endLines(text []byte) []byte {
	text = bytes.Clone(text)
	for i, b := range text {
		if b == '\r' && (i+1 == len(text) || text[i+1] != '\n') {
			text[i] = '\n'
		}
	}
	return text
}

// position returns the line and the column, in characters, of the byte at the offset.
func position(text []byte, offset int) (line, column int) {
	before := text[:offset]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1
}

var topLevel = regexp.MustCompile(`^(apiVersion|kind|metadata|spec|status)\s*:`)

// indentationLost finds text that was flattened on its way here, as by copying it out of a
// document: the fields below "metadata:" or "spec:" stand at the left margin.
func indentationLost(text []byte) *Fault {
	parent := ""
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimRight(line, " \t\r")
		if line == "" || strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		child := line[0] != ' ' && line[0] != '\t' && strings.Contains(line, ":") && !topLevel.MatchString(line)
		if parent != "" && child {
			return &Fault{Line: i + 1, Column: 1, Type: SyntaxError, Detail: fmt.Sprintf(
				"indentation lost: %q stands at the left margin but belongs under %q%s; indent every field below its parent",
				line, parent, syntaxNote(text))}
		}
		parent = ""
		if line == "metadata:" || line == "spec:" {
			parent = line
		}
	}
	return nil
}

// syntaxNote adds what the YAML parser says of the text, if anything.
func syntaxNote(text []byte) string {
	if _, err := sigsyaml.YAMLToJSON(text); err != nil {
		line, detail := yamlError(err)
		return fmt.Sprintf(" (YAML: line %d: %s)", line, detail)
	}
	return ""
}

// parseNodes returns the mapping that is the text's only document.
func parseNodes(text []byte) (*yaml.Node, *Fault) {
	var root *yaml.Node
	for dec := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, yamlFault(text, err)
		}
		if len(n.Content) == 0 || n.Content[0].Tag == "!!null" {
			continue // "---" alone
		}
		if root != nil {
			return nil, &Fault{
				Line: n.Content[0].Line, Column: n.Content[0].Column, Type: SyntaxError,
				Detail: "a second document begins here; give each experiment a file of its own",
			}
		}
		root = n.Content[0]
	}
	if root == nil {
		return nil, &Fault{Line: 1, Column: 1, Type: SyntaxError, Detail: "the file is empty; want an Experiment"}
	}
	if root.Kind != yaml.MappingNode {
		return nil, &Fault{
			Line: root.Line, Column: root.Column, Type: SyntaxError,
			Detail: "want an Experiment, that is fields such as \"kind: Experiment\"",
		}
	}
	return root, nil
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

// yamlFault places what a YAML parser says.
func yamlFault(text []byte, err error) *Fault {
	line, detail := yamlError(err)
	if _, err := sigsyaml.YAMLToJSON(text); err != nil { // which names the line itself, not what it is part of
		other, detail := yamlError(err)
		if strings.HasPrefix(detail, "did not find expected") {
			other++ // its parser, unlike its scanner, counts lines from 0
		}
		line = max(line, other)
	}
	lines := bytes.Split(text, []byte{'\n'})
	f := &Fault{Line: max(1, min(line, len(lines))), Column: 1, Type: SyntaxError}
	if bytes.ContainsRune(indentation(lines[f.Line-1]), '\t') {
		detail += "; a tab stands where YAML wants spaces"
	}
	f.Detail = detail
	return f
}

// yamlError takes the line, 0 when it names none, out of a parser's message.
func yamlError(err error) (line int, detail string) {
	detail = err.Error()
	if _, rest, found := strings.Cut(detail, "yaml: "); found {
		detail = rest
	}
	if m := yamlLine.FindStringSubmatchIndex(detail); m != nil {
		line, _ = strconv.Atoi(detail[m[2]:m[3]])
		detail = detail[:m[0]] + detail[m[1]:]
	}
	return line, detail
}

// indentation returns the white space that the line begins with.
func indentation(line []byte) []byte {
	return line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
}

// fromLine blanks the lines before the given one: sigs.k8s.io/yaml reads the first document only,
// be it empty.
func fromLine(text []byte, line int) []byte {
	rest := text
	for range line - 1 {
		_, rest, _ = bytes.Cut(rest, []byte{'\n'})
	}
	return append(bytes.Repeat([]byte{'\n'}, line-1), rest...)
}

// toTree converts the text to what JSON can hold; numbers stay as they are written there.
func toTree(text []byte) (map[string]any, *Fault) {
	js, err := sigsyaml.YAMLToJSON(text)
	if err != nil {
		return nil, yamlFault(text, err)
	}
	var tree map[string]any
	dec := json.NewDecoder(bytes.NewReader(js))
	dec.UseNumber()
	if err := dec.Decode(&tree); err != nil {
		return nil, yamlFault(text, err)
	}
	return tree, nil
}

// nodeChecker looks for what the conversion to JSON would refuse without a position, lose, or
// blow up.
type nodeChecker struct {
	text   []byte // less what JSON cannot hold
	faults Faults
	values int
	fatal  bool
}

func (c *nodeChecker) check(n *yaml.Node, path string, depth int) {
	c.values++
	if c.fatal {
		return
	}
	switch {
	case depth > maxDepth:
		c.fail(n, path, fmt.Sprintf("more than %d levels of nesting", maxDepth))
	case c.values > maxValues:
		c.fail(n, path, fmt.Sprintf("more than %d values", maxValues))
	case n.Kind == yaml.AliasNode:
		c.check(n.Alias, path, depth+1)
	case n.Kind == yaml.SequenceNode:
		for i, child := range n.Content {
			c.check(child, fmt.Sprintf("%s[%d]", path, i), depth+1)
		}
	case n.Kind == yaml.MappingNode:
		c.mapping(n, path, depth)
	case isInfinite(n):
		c.infinite(n, path)
	}
}

func (c *nodeChecker) mapping(n *yaml.Node, path string, depth int) {
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null" {
			c.fail(key, path, "want a name before the colon")
			return
		}
		child := join(path, key.Value)
		if line, twice := seen[key.Value]; twice {
			c.faults = append(c.faults, Fault{
				Line: key.Line, Column: key.Column, Path: child, Type: Duplicate,
				Detail: fmt.Sprintf("given already in line %d", line),
			})
		}
		seen[key.Value] = key.Line
		c.check(n.Content[i+1], child, depth+1)
	}
}

// infinite makes text of a number that JSON cannot hold, so that the rest can be read.
func (c *nodeChecker) infinite(n *yaml.Node, path string) {
	const detail = "a number that is not finite; put text in quotes"
	rest := c.text
	for range n.Line - 1 {
		_, rest, _ = bytes.Cut(rest, []byte{'\n'})
	}
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(rest)
		rest = rest[size:]
	}
	if !bytes.HasPrefix(rest, []byte(n.Value)) { // a tag or an anchor stands before it
		c.fail(n, path, detail)
		return
	}
	rest[0] = 'x'
	c.fault(n, path, detail)
}

// fail adds a fault that leaves nothing to read.
func (c *nodeChecker) fail(n *yaml.Node, path, detail string) {
	c.fatal = true
	c.fault(n, path, detail)
}

func (c *nodeChecker) fault(n *yaml.Node, path, detail string) {
	c.faults = append(c.faults, Fault{Line: n.Line, Column: n.Column, Path: path, Type: SyntaxError, Detail: detail})
}

// isInfinite reports whether the node is a number that JSON cannot hold: .nan, .inf or -.inf.
func isInfinite(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!float" {
		return false
	}
	return strings.HasSuffix(strings.ToLower(n.Value), ".inf") || strings.EqualFold(n.Value, ".nan")
}

// join appends a field's name to a path.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
