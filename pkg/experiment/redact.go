package experiment

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// EnvSecrets returns the values of an environment, NAME=VALUE, whose names look like those of secrets. Paths
// of this machine are none.
func EnvSecrets(env []string) []string {
	var out []string
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		if secretName(name) && !harmless(value) && !isPath(value) {
			out = append(out, value)
		}
	}
	return out
}

func isPath(text string) bool {
	if !filepath.IsAbs(text) {
		return false
	}
	_, err := os.Stat(text)
	return err == nil
}

// How long what is masked must be to be looked for elsewhere, in bytes: shorter ones than the first are in many words, and
// those than the second are looked for as words of their own.
const (
	shortestSecret = 4
	shortestPart   = 8
)

// Redactor takes secrets out of texts about trials, such as what they printed.
type Redactor struct{ secrets *regexp.Regexp }

// NewRedactor returns a redactor of secrets.
func NewRedactor(secrets []string) Redactor {
	secrets = slices.Clone(secrets)
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // the longest first, so that no part is left
	var forms []string
	for _, s := range slices.Compact(secrets) {
		if len(s) < shortestSecret || s == Mask || isPath(s) {
			continue
		}
		form := regexp.QuoteMeta(s)
		if len(s) < shortestPart {
			form = edge(s[0]) + form + edge(s[len(s)-1])
		}
		forms = append(forms, form)
	}
	if len(forms) == 0 {
		return Redactor{}
	}
	return Redactor{regexp.MustCompile(strings.Join(forms, "|"))}
}

// edge is a form that a word ends at a letter or digit.
func edge(b byte) string {
	if b == '_' || '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'z' {
		return `\b`
	}
	return ""
}

// Redact returns a text without the secrets, and without what looks like one.
func (r Redactor) Redact(text string) string {
	if r.secrets != nil {
		text = r.secrets.ReplaceAllLiteralString(text, Mask)
	}
	return new(masker).shaped(text)
}
