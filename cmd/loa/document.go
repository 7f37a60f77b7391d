package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"loa/gateway/web/api"
)

// document is a file that a person wrote, in YAML or JSON, and what the API is
// sent of it.
type document struct {
	name string
	json []byte
	root ast.Node // nil if places in the file are not known
}

// readDocument reads a file, or the standard input for "-". What begins with a
// brace is JSON and is sent as it is; all else is YAML.
func readDocument(name string, stdin io.Reader) (*document, error) {
	src, err := readInput(name, stdin)
	if err != nil {
		return nil, err
	}
	d := &document{name: name}
	if name == "-" {
		d.name = "standard input"
	}
	file, err := parser.ParseBytes(src, 0)
	isJSON := bytes.HasPrefix(bytes.TrimSpace(src), []byte("{"))
	switch {
	case isJSON:
		d.json = src
	case err != nil:
		return nil, d.fault(err)
	case len(file.Docs) != 1:
		return nil, fmt.Errorf("%s: one YAML document is expected", d.name)
	}
	if err == nil && len(file.Docs) == 1 {
		d.root = file.Docs[0].Body
	}
	if !isJSON {
		if d.json, err = yaml.YAMLToJSON(src); err != nil {
			return nil, d.fault(err)
		}
	}
	return d, nil
}

func readInput(name string, stdin io.Reader) ([]byte, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name) //nolint:gosec // the user names the file
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	src, err := io.ReadAll(io.LimitReader(in, api.MaxBody+1))
	if err == nil && len(src) > api.MaxBody {
		err = fmt.Errorf("%s: larger than %d bytes", name, api.MaxBody)
	}
	return src, err
}

// fault places an error of the YAML reader.
func (d *document) fault(err error) error {
	var ye yaml.Error
	if errors.As(err, &ye) && ye.GetToken() != nil {
		p := ye.GetToken().Position
		return fmt.Errorf("%s:%d:%d: %s", d.name, p.Line, p.Column, ye.GetMessage())
	}
	return fmt.Errorf("%s: %w", d.name, err)
}

// explain puts the file, line and column before every field that the API
// refuses.
func (d *document) explain(err error) error {
	var p *problem
	if !errors.As(err, &p) || len(p.Errors) == 0 {
		return err
	}
	lines := []string{p.Title + ":"}
	for _, f := range p.Errors {
		lines = append(lines, "  "+d.where(f.Field)+": "+strings.TrimPrefix(f.Field+": "+f.Rule, ": "))
	}
	return errors.New(strings.Join(lines, "\n"))
}

// where is the place of a field, or of the nearest thing that holds it.
func (d *document) where(field string) string {
	for ; d.root != nil && field != ""; field = field[:max(0, strings.LastIndexAny(field, ".["))] {
		p, err := yaml.PathString("$." + field)
		if err != nil {
			continue
		}
		if n, err := p.FilterNode(d.root); err == nil && n != nil && n.GetToken() != nil {
			at := n.GetToken().Position
			return fmt.Sprintf("%s:%d:%d", d.name, at.Line, at.Column)
		}
	}
	return d.name
}
