package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

const maxFile = 1 << 20

// Load reads and validates a file. Every fault is reported as
// "file:line:column: rule"; none quotes the file, which may hold secrets.
// A key that ends in "_file" takes its value from that file, relative to the
// configuration's folder.
func Load(path string) (*Config, error) {
	src, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return parse(path, src)
}

func parse(path string, src []byte) (*Config, error) {
	file, err := parser.ParseBytes(src, 0)
	if err != nil {
		return nil, at(path, nil, err)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, fmt.Errorf("%s: one YAML document is expected", path)
	}
	body := file.Docs[0].Body
	wide, err := resolveFiles(path, body)
	if err != nil {
		return nil, err
	}
	cfg := &Config{Log: Log{Level: "info", Format: "json"}, Data: "./data", Listen: "127.0.0.1:8080"}
	if err := yaml.NodeToValue(body, cfg, yaml.Strict()); err != nil {
		return nil, at(path, body, err)
	}
	cfg.SMS.file = path
	for i := range cfg.Channels {
		cfg.Channels[i].Settings.file = path
	}
	v := validation{path: path, body: body}
	v.check(cfg)
	for _, w := range wide {
		if cfg.Deployment == Live {
			v.faults = append(v.faults, errors.New(w))
		} else {
			cfg.Warnings = append(cfg.Warnings, w)
		}
	}
	if err := errors.Join(v.faults...); err != nil {
		return nil, err
	}
	cfg.where = v.where
	cfg.body = body
	return cfg, nil
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxFile)
	}
	return os.ReadFile(path) //nolint:gosec // the operator names the file
}

// resolveFiles replaces every "name_file: path" by "name: content". It returns
// what is to be said of files that others than their owner may read.
func resolveFiles(path string, root ast.Node) (wide []string, err error) {
	r := fileResolver{path: path}
	ast.Walk(&r, root)
	return r.wide, errors.Join(r.faults...)
}

type fileResolver struct {
	path   string
	faults []error
	wide   []string
}

func (r *fileResolver) Visit(n ast.Node) ast.Visitor {
	pair, ok := n.(*ast.MappingValueNode)
	if !ok {
		return r
	}
	key, okKey := pair.Key.(*ast.StringNode)
	if !okKey || !strings.HasSuffix(key.Value, "_file") {
		return r
	}
	value, okValue := pair.Value.(*ast.StringNode)
	if !okValue || value.Value == "" {
		r.faults = append(r.faults, fmt.Errorf("%s: %s: a file name is expected", position(r.path, key), key.Value))
		return nil
	}
	content, mode, err := r.secret(value.Value)
	if err != nil {
		r.faults = append(r.faults, fmt.Errorf("%s: %s: %w", position(r.path, key), key.Value, err))
		return nil
	}
	if mode&^0o600 != 0 {
		r.wide = append(r.wide, fmt.Sprintf("%s: %s: %s has mode %04o, which lets others read it; make it 0600", position(r.path, key), key.Value, value.Value, mode))
	}
	key.Value = strings.TrimSuffix(key.Value, "_file")
	key.Token.Value = key.Value
	value.Value = content
	value.Token.Value = content
	return nil
}

// secret reads a file and its permissions.
func (r *fileResolver) secret(name string) (string, fs.FileMode, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(r.path), name)
	}
	info, err := os.Stat(name)
	if err != nil {
		return "", 0, err
	}
	src, err := readBounded(name)
	if err != nil {
		return "", 0, err
	}
	content := strings.TrimRight(string(src), "\r\n")
	if content == "" {
		return "", 0, fmt.Errorf("%s: empty", name)
	}
	return content, info.Mode().Perm(), nil
}
