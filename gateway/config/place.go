package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// segment matches one step of a key: a name, or an index in brackets.
var segment = regexp.MustCompile(`[^.\[\]]+|\[\d+\]`)

// locate finds the key ("channels[0].settings.from") in the file. Of a key that
// is not there it finds what should hold it. It gives back the node that stands
// for the key's own place, and the value; both are nil if nothing is found.
func locate(body ast.Node, key string) (at, value ast.Node) {
	value = body
	for _, s := range segment.FindAllString(key, -1) {
		k, v := step(value, s)
		if k == nil {
			return at, nil
		}
		at, value = k, v
	}
	return at, value
}

// step goes into a mapping by a name or into a sequence by an index.
func step(n ast.Node, s string) (key, value ast.Node) {
	if index, ok := strings.CutPrefix(s, "["); ok {
		list, isList := n.(*ast.SequenceNode)
		i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
		if !isList || err != nil || i >= len(list.Values) {
			return nil, nil
		}
		if pairs := mapping(list.Values[i]); len(pairs) > 0 {
			return pairs[0].Key, list.Values[i]
		}
		return list.Values[i], list.Values[i]
	}
	for _, p := range mapping(n) {
		if name(p) == s {
			return p.Key, p.Value
		}
	}
	return nil, nil
}

// mapping lists what a mapping holds; nil if n is none.
func mapping(n ast.Node) []*ast.MappingValueNode {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}
	default:
		return nil
	}
}

func name(p *ast.MappingValueNode) string {
	if t := p.Key.GetToken(); t != nil {
		return t.Value
	}
	return ""
}

// position is "file:line:column" of a node, or the file alone.
func position(path string, n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return path
	}
	p := n.GetToken().Position
	return fmt.Sprintf("%s:%d:%d", path, p.Line, p.Column)
}

// named finds which key of a block a fault's text begins to speak of: owners
// of a section write "field: rule". It returns the block if it names none.
func named(body ast.Node, block, text string) string {
	_, value := locate(body, block)
	best, at := block, len(text)
	for _, p := range mapping(value) {
		field := name(p)
		m := regexp.MustCompile(`(?:^|[\s:.])(` + regexp.QuoteMeta(field) + `(?:\[\d+\]|\.\w+)*):`).FindStringSubmatchIndex(text)
		if m != nil && m[2] < at {
			best, at = block+"."+text[m[2]:m[3]], m[2]
		}
	}
	return best
}
