package experiment

import (
	"regexp"
	"strings"
)

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
	cookies  = regexp.MustCompile(`(?i)((?:^|[\s"'{,(])(?:set-)?cookie["']?\s*:\s*["']?)()()([^"'\n]+)`)

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
	text = m.replace(m.replace(m.programs(text), cookies, always), login, always)
	for _, form := range []*regexp.Regexp{setting, twoWords, colon} {
		text = m.replace(text, form, secretName)
	}
	return m.shaped(m.replace(text, query, always))
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

// harmless reports whether a value says where a secret is, is masked already, or only says yes or no.
func harmless(value string) bool {
	return value == "" || strings.Contains(value, strings.TrimSuffix(Mask, ")")) || reference.MatchString(value) || plainWords[strings.ToLower(value)]
}

// plainWords are values that are no secrets, whatever their name.
var plainWords = words("auto basic bearer default false no none null off on true yes")

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
