package exchange

import "testing"

func TestGuard(t *testing.T) {
	for text, want := range map[string]string{
		"":             "",
		"plain":        "plain",
		"=1+1":         "'=1+1",
		"+1":           "+1",
		"-1e-5":        "-1e-5",
		"-Inf":         "-Inf",
		"-":            "'-",
		"@SUM(A1)":     "'@SUM(A1)",
		"+1+cmd|' /C'": "'+1+cmd|' /C'",
		"\tx":          "'\tx",
		"\r=x":         "'\r=x",
		"'=x":          "''=x",
		"'x":           "'x",
		"'-5":          "'-5",
		"a=b":          "a=b",
	} {
		got := Guarded(text)
		if got != want {
			t.Errorf("Guarded(%q): got %q, want %q", text, got, want)
		}
		if back := plain(got); back != text {
			t.Errorf("plain(%q): got %q, want %q", got, back, text)
		}
	}
}
