package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const twoConfigMaps = `kind: ConfigMap
metadata: {name: other, namespace: team}
data: {job: other}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: templates, namespace: team}
data:
  job: |
    kind: Job
`

func TestConfigMaps(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "team"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "team", "templates.yaml")
	for path, text := range map[string]string{file: twoConfigMaps, filepath.Join(dir, "outside.yaml"): twoConfigMaps} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct{ name, from, namespace, configMap, key, want, err string }{
		{"of a folder", dir, "team", "templates", "job", "kind: Job\n", ""},
		{"of a file", file, "team", "templates", "job", "kind: Job\n", ""},
		{"no such key", dir, "team", "templates", "pod", "", `no key "pod"`},
		{"no such file", dir, "team", "absent", "job", "", "absent.yaml"},
		{"of another namespace", file, "us", "templates", "job", "", "no ConfigMap us/templates"},
		{"a name leads nowhere else", filepath.Join(dir, "team"), "..", "outside", "job", "", "escapes"},
		{"no such folder", filepath.Join(dir, "absent"), "team", "templates", "job", "", "--template-dir"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := configMaps(tt.from).template(tt.namespace, tt.configMap, tt.key)
			if got != tt.want {
				t.Errorf("template = %q, want %q", got, tt.want)
			}
			if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error = %v, want %q", err, tt.err)
			}
		})
	}
}
