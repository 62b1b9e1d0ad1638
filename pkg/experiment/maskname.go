package experiment

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Names of variables, flags, headers and fields are read word by word: DB_PASS, --db-pass and dbPass are db and pass.
var (
	// secretWords make a secret of every name that has one.
	secretWords = words("auth authorization bearer cookie cookies cred creds jwt otp pass passcode passkey pat psk pw pwd token totp")

	// secretPart makes a secret of every name that has it, also within a word, such as PGPASSWORD.
	secretPart = regexp.MustCompile(`secret|passw|passphrase|credential`)

	// secretRun matches names that are written without anything between their words.
	secretRun = regexp.MustCompile(`^(admin|api|auth|access|account|app|client|db|deploy|encryption|key|ldap|license|login|mail|master|mysql|pg|private|proxy|redis|root|session|sign|signing|smtp|sql|ssh|store|trust|user)+` +
		`(keys?|pass|pwd?|cookie|token)$|.token$`)

	// keyOwners are words before key or keys with which, wherever they stand, it lets in.
	keyOwners = words("access account api auth deploy encryption private signing ssh")

	// keyNouns are words before key with which it is a place in a table or a data structure, or known to all.
	keyNouns = words("arg batch cache cluster column config data dataset dict feature field foreign group hash image index input item json label layer " +
		"lookup loss map metric object obs order output param partition primary pub public row score sort state step target text topology value")

	// countedWords are words before token and pass with which those are counted, or symbols of a vocabulary.
	countedWords = words("backward bos cls eos first forward image mask max min multi n new next num pad per second sep single special start stop two unk")

	// describing are last words of names that say something about a secret, or where it is.
	describing = words("class dir directory file name namespace path policy ref type")

	// measuring are last words of names of settings that have to do with tokens, passes and ways to log in.
	measuring = words("batch budget count dim dropout embedding enabled endpoint host len length level limit method mode parallelism port prob provider rate ratio size timeout ttl uri url")
)

func words(text string) map[string]bool {
	out := map[string]bool{}
	for _, word := range strings.Fields(text) {
		out[word] = true
	}
	return out
}

// secretName reports whether a variable, flag, header or field holds a secret, as its name has it.
func secretName(name string) bool {
	if name == "PWD" || name == "OLDPWD" { // the shell's directories, unlike DB_PWD
		return false
	}
	parts := nameWords(name)
	if len(parts) == 0 || describing[parts[len(parts)-1]] || describingEnd.MatchString(parts[len(parts)-1]) {
		return false
	}
	if secretPart.MatchString(strings.Join(parts, "_")) || name == "KEY" {
		return true
	}
	if slices.Equal(parts, []string{"session", "id"}) || strings.HasSuffix(strings.Join(parts, " "), "connection string") {
		return true
	}
	for i, part := range parts {
		if secretPartOf(parts, i, part) {
			return true
		}
	}
	return false
}

// describingEnd matches words like secretname, in which a describing one is not set off.
var describingEnd = regexp.MustCompile(`^(token|key|cert|secret|password|passwd|pass|credentials?)(file|path|dir|name|ref)$`)

// secretPartOf reports whether word i of a name makes a secret of it.
func secretPartOf(parts []string, i int, word string) bool {
	before, last := "", i == len(parts)-1
	if i > 0 {
		before = parts[i-1]
	}
	switch {
	case secretRun.MatchString(word):
		return true
	case word == "key" || word == "keys":
		return keyOwners[before] || word == "key" && last && before != "" && !keyNouns[before]
	case word == "pass" && !last:
		return false // pass_rate
	case secretWords[word]:
		return !countedWords[before] && !measuring[parts[len(parts)-1]]
	}
	return false
}

// nameWords splits a name at what is neither letter nor digit and where small letters end, writes its words small,
// and leaves out numbers.
func nameWords(name string) []string {
	var out []string
	runes, start := []rune(name), 0
	end := func(i int) {
		word := strings.ToLower(strings.TrimRightFunc(string(runes[start:i]), unicode.IsDigit))
		if word != "" {
			out = append(out, word)
		}
	}
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end(i)
			start = i + 1
		case i > start && unicode.IsUpper(r) && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])):
			end(i)
			start = i
		}
	}
	end(len(runes))
	return out
}
