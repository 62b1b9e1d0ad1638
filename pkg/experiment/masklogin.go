package experiment

import (
	"path"
	"regexp"
	"strings"
)

// Some programs take a password by a flag whose name does not say so. To others, as to cp and mkdir, -p means
// something else, so it is known by the program.
const (
	mysqlPrograms = `mysql|mysqldump|mysqladmin|mysqlimport|mariadb|mariadb-dump|mariadb-admin`
	userFlag      = `-[A-Za-z]*?[uU]|--user|--proxy-user`
	arguments     = `\b(?:"[^"]*"|'[^']*'|[^\n;|&"'])*`
	flagValue     = `("[^"]*"|'[^']*'|[^\s;&|)"']+)`
)

// programForms match a program with its arguments, and in these what stands before a password, and the password.
var programForms = []struct{ program, flag *regexp.Regexp }{
	{regexp.MustCompile(`\bcurl` + arguments), regexp.MustCompile(`(\s(?:` + userFlag + `)[ =]*)(["']?[^\s:"'|;&]+:[^\s"'|;&]+["']?)`)},
	{regexp.MustCompile(`\b(?:` + mysqlPrograms + `)` + arguments), regexp.MustCompile(`(\s-p)` + flagValue)},
	{regexp.MustCompile(`\bredis-cli` + arguments), regexp.MustCompile(`(\s-a\s+)` + flagValue)},
	{regexp.MustCompile(`\bsshpass` + arguments), regexp.MustCompile(`(^sshpass\s+-p\s*)` + flagValue)},
}

var (
	loginProgram = regexp.MustCompile(`^(curl|redis-cli|` + mysqlPrograms + `)$`)
	userWord     = regexp.MustCompile(`^(` + userFlag + `)$`)
	userAll      = regexp.MustCompile(`^(-[A-Za-z]*?[uU]|--user=|--proxy-user=)([^:]+:.+)$`)
)

// programs masks the passwords of programs that are named in a text.
func (m *masker) programs(text string) string {
	for i, form := range programForms {
		text = form.program.ReplaceAllStringFunc(text, func(command string) string {
			return form.flag.ReplaceAllStringFunc(command, func(found string) string {
				part := form.flag.FindStringSubmatch(found)
				return part[1] + m.secretOf(part[2], i == 0)
			})
		})
	}
	return text
}

// login returns what to show for word i of a command in which the program was named, if it holds a password for it.
func (m *masker) login(program string, words []string, i int) (shown string, ok bool) {
	word, flag := words[i], ""
	if i > 0 {
		flag = words[i-1]
	}
	switch program {
	case "":
		return m.sshpass(words, i)
	case "curl":
		if found := userAll.FindStringSubmatch(word); found != nil {
			return found[1] + m.secretOf(found[2], true), true
		}
		if userWord.MatchString(flag) && strings.Contains(word, ":") {
			return m.secretOf(word, true), true
		}
	case "redis-cli":
		if flag == "-a" {
			return m.secretOf(word, false), true
		}
	default:
		if found, ok := strings.CutPrefix(word, "-p"); ok && found != "" {
			return "-p" + m.secretOf(found, false), true
		}
	}
	return "", false
}

// sshpass is login for sshpass, whose flag comes before the program that it runs.
func (m *masker) sshpass(words []string, i int) (shown string, ok bool) {
	before := func(n int) string {
		if i < n {
			return ""
		}
		return path.Base(words[i-n])
	}
	if before(2) == "sshpass" && before(1) == "-p" {
		return m.secretOf(words[i], false), true
	}
	if password, ok := strings.CutPrefix(words[i], "-p"); ok && password != "" && before(1) == "sshpass" {
		return "-p" + m.secretOf(password, false), true
	}
	return "", false
}

// secretOf masks a password, or USER:PASSWORD.
func (m *masker) secretOf(text string, user bool) string {
	bare := strings.Trim(text, `"'`)
	_, password, _ := strings.Cut(bare, ":")
	if !user {
		password = bare
	}
	if harmless(password) {
		return text
	}
	if user {
		m.user(bare)
		return Mask
	}
	return m.mask(bare)
}
