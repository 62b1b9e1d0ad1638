package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	yamlnode "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// configMaps finds the templates that stand in for those in ConfigMaps of a cluster. It names a
// folder with one file NAMESPACE/NAME.yaml per ConfigMap, or a single file with ConfigMaps.
type configMaps string

// configMap is the part of a ConfigMap that is used.
type configMap struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Data map[string]string `json:"data"`
}

// template returns the text under a key of a ConfigMap.
func (c configMaps) template(namespace, name, key string) (string, error) {
	if c == "" {
		return "", fmt.Errorf("there is no cluster to read ConfigMap %s/%s from; give --template-dir", namespace, name)
	}
	file, text, err := c.read(namespace, name)
	if err != nil {
		return "", err
	}
	for d := yamlnode.NewDecoder(bytes.NewReader(text)); ; {
		var node yamlnode.Node
		err := d.Decode(&node)
		if errors.Is(err, io.EOF) {
			return "", fmt.Errorf("%s holds no ConfigMap %s/%s", file, namespace, name)
		}
		if err != nil {
			return "", fmt.Errorf("read %s: %w", file, err)
		}
		m, err := asConfigMap(&node)
		if err != nil {
			return "", fmt.Errorf("read %s: %w", file, err)
		}
		if m.Kind != "ConfigMap" || m.Metadata.Name != name || m.Metadata.Namespace != "" && m.Metadata.Namespace != namespace {
			continue
		}
		text, ok := m.Data[key]
		if !ok {
			return "", fmt.Errorf("ConfigMap %s/%s in %s has no key %q", namespace, name, file, key)
		}
		return text, nil
	}
}

func asConfigMap(node *yamlnode.Node) (m configMap, err error) {
	text, err := yamlnode.Marshal(node)
	if err != nil {
		return m, err
	}
	return m, yaml.Unmarshal(text, &m)
}

// read returns the file that should hold a ConfigMap. A name cannot lead out of the folder.
func (c configMaps) read(namespace, name string) (file string, text []byte, err error) {
	info, err := os.Stat(string(c))
	if err != nil {
		return "", nil, fmt.Errorf("read --template-dir: %w", err)
	}
	if !info.IsDir() {
		text, err = os.ReadFile(string(c))
		return string(c), text, err
	}
	root, err := os.OpenRoot(string(c))
	if err != nil {
		return "", nil, err
	}
	defer root.Close()
	file = filepath.Join(namespace, name+".yaml")
	text, err = root.ReadFile(file)
	return filepath.Join(string(c), file), text, err
}
