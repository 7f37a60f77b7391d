package config

import (
	"path/filepath"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Section is a part of the file that its owner decodes. The zero Section is an
// absent one.
type Section struct {
	node ast.Node
	file string
}

// UnmarshalYAML keeps the node.
func (s *Section) UnmarshalYAML(n ast.Node) error {
	s.node = n
	return nil
}

// Dir is the folder that relative paths of the section are meant from.
func (s Section) Dir() string { return filepath.Dir(s.file) }

// Decode fills v strictly: an unknown key is an error that names file, line and
// column. An absent section leaves v as it is.
func (s Section) Decode(v any) error {
	if s.node == nil {
		return nil
	}
	if err := yaml.NodeToValue(s.node, v, yaml.Strict()); err != nil {
		return at(s.file, s.node, err)
	}
	return nil
}

// NewSection makes a section of a Go value, for configurations that are built
// in memory (the demo).
func NewSection(v any) (Section, error) {
	src, err := yaml.Marshal(v)
	if err != nil {
		return Section{}, err
	}
	// Parsed back, because a node made of a value keeps the quotes as text.
	file, err := parser.ParseBytes(src, 0)
	if err != nil {
		return Section{}, err
	}
	return Section{node: file.Docs[0].Body, file: "embedded configuration"}, nil
}

// UnmarshalYAML reads either the word none or a mapping.
func (r *Redis) UnmarshalYAML(n ast.Node) error {
	if s, ok := n.(*ast.StringNode); ok && s.Value == "none" {
		*r = Redis{None: true}
		return nil
	}
	type plain Redis
	return yaml.NodeToValue(n, (*plain)(r), yaml.Strict())
}
