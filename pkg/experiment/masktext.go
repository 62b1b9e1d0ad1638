package experiment

import (
	"regexp"
	"slices"
	"strings"
)

// secretName matches the names of variables and flags that hold secrets, but not MAX_TOKENS.
var secretName = regexp.MustCompile(`(?i)secret|passw|passphrase|credential|` +
	`(api|access|private|ssh|deploy|signing|encryption|account|auth)[_-]?key|token\d*$|(^|[_-])(token|auth|pat|pwd?)\d*([_-]|$)`)

// referring matches names of fields that only say where a secret is.
var referring = regexp.MustCompile(`(?i)(name|namespace|ref|path|file|dir|class|policy|type)$`)

// secretField reports whether a field of an object holds a secret as text.
func secretField(name string) bool {
	return secretName.MatchString(name) && !referring.MatchString(name)
}

const (
	before = `(^|[\s;&|?#,{("'])`                         // a name in a command, in a query or in JSON
	value  = `(\$\([^)]*\)|"[^"]*"|'[^']*'|[^\s;&|)"']+)` // of a variable or flag
)

var (
	setting  = regexp.MustCompile(before + `(-{0,2}[A-Za-z_][A-Za-z0-9_.-]*)(=)` + value)         // NAME=VALUE and --NAME=VALUE
	twoWords = regexp.MustCompile(before + `(--?[A-Za-z_][A-Za-z0-9_-]*)(\s+)` + value)           // --NAME VALUE
	colon    = regexp.MustCompile(before + `([A-Za-z_][A-Za-z0-9_-]*)(["']\s*:\s*|:\s+)` + value) // NAME: VALUE and "NAME": VALUE
	login    = regexp.MustCompile(`(?i)(authorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|token)\s+)?)()()([^\s"']+)`)
	userInfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)()()([^\s/"']+)@`) // USER:PASSWORD@ and TOKEN@ of a URL

	flagName    = regexp.MustCompile(`^--?[A-Za-z_][A-Za-z0-9_-]*$`)
	anotherFlag = regexp.MustCompile(`^(--?[a-z]|--[a-z][a-z_-]*\d?(=.*)?)$`)

	// reference matches what names where a value comes from.
	reference = regexp.MustCompile(`^["']?\$([A-Z_][A-Z0-9_]*|\{[A-Za-z_][A-Za-z0-9_.\[\]-]*\}|\(([A-Za-z_][A-Za-z0-9_]*|cat [^\s)]+)\))["']?$`)

	// query matches parameters of URLs that let in, beside those with a name as above.
	query = regexp.MustCompile(`(?i)([?&])((?:[a-z0-9-]+-)?(?:sig|signature|key|apikey|sas|code|jwt))(=)([^\s&#"']+)`)

	// shapes match secrets by how they look, whatever their name: those of Hugging Face, GitHub, GitLab, OpenAI,
	// AWS, Google and Slack, JSON web tokens, our own of trials, and what lets in at the end of the path of URLs.
	shapes = regexp.MustCompile(`()()()(\bhf_[A-Za-z0-9]{20,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|` +
		`\bsk-[A-Za-z0-9_-]{20,}|\bAKIA[0-9A-Z]{16}\b|\bAIza[\w-]{30,}|\bxox[abprs]-[A-Za-z0-9-]{10,}|` +
		`\beyJ[\w-]{5,}\.[\w-]+\.[\w-]+|\b[\w-]{40,}\.[0-9a-f]{64}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----[^"']*|` +
		`(?:hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks|webhook\.office\.com/webhookb2)/[^\s"']+)`)
)

// text masks the values of variables, flags and headers in a text, who logs in by its URLs, and what looks like
// a secret.
func (m *masker) text(text string) string {
	for _, form := range []*regexp.Regexp{setting, twoWords, colon} {
		text = m.replace(text, form, func(name string) bool { return secretName.MatchString(strings.TrimLeft(name, "-")) })
	}
	return m.shaped(m.replace(m.replace(text, query, always), login, always))
}

func always(string) bool { return true }

// shaped masks what is a secret whatever its name.
func (m *masker) shaped(text string) string {
	text = userInfo.ReplaceAllStringFunc(text, func(found string) string {
		part := userInfo.FindStringSubmatch(found)
		m.user(part[4])
		return part[1] + Mask + "@"
	})
	return m.replace(text, shapes, always)
}

// replace masks the last part of what matches a form of four parts, of which the second is a name, and the
// third stands between. In what is no secret the next one may begin.
func (m *masker) replace(text string, form *regexp.Regexp, secret func(name string) bool) string {
	var out strings.Builder
	for at := 0; ; {
		found := form.FindStringSubmatchIndex(text[at:])
		if found == nil {
			out.WriteString(text[at:])
			return out.String()
		}
		rest := text[at:]
		last := rest[found[8]:found[9]]
		if secret(rest[found[4]:found[5]]) && !harmless(last) && !(form == twoWords && anotherFlag.MatchString(last)) {
			out.WriteString(rest[:found[8]])
			out.WriteString(m.mask(strings.Trim(last, `"'`)))
			at += found[9]
			continue
		}
		next := max(found[8]-1, found[0]+1) // what stands before the last part may stand before a name
		out.WriteString(rest[:next])
		at += next
	}
}

// harmless reports whether a value says where a secret is, or is masked already.
func harmless(value string) bool {
	return value == "" || strings.Contains(value, Mask) || reference.MatchString(value)
}

// user takes in who logs in by a URL.
func (m *masker) user(info string) {
	name, password, both := strings.Cut(info, ":")
	if both {
		m.mask(password)
	}
	if !both || len(name) >= longToken { // some take a token for the user, and anything for a password
		m.mask(name)
	}
}

// longToken is from which length on the name of a user is taken for a token, in bytes.
const longToken = 16

// shortestSecret is how long what is masked must be to be looked for elsewhere, in bytes: shorter ones are in
// many words.
const shortestSecret = 4

// Redactor takes secrets out of texts about trials, such as what they printed.
type Redactor struct{ secrets *strings.Replacer }

// NewRedactor returns a redactor of secrets.
func NewRedactor(secrets []string) Redactor {
	secrets = slices.Clone(secrets)
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // the longest first, so that no part is left
	var pairs []string
	for _, s := range slices.Compact(secrets) {
		if len(s) >= shortestSecret && s != Mask {
			pairs = append(pairs, s, Mask)
		}
	}
	return Redactor{strings.NewReplacer(pairs...)}
}

// Redact returns a text without the secrets, and without what looks like one.
func (r Redactor) Redact(text string) string {
	if r.secrets != nil {
		text = r.secrets.Replace(text)
	}
	return new(masker).shaped(text)
}
