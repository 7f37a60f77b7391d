package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// at keeps position and message of a YAML error and drops the quoted source. A
// value of the wrong kind is told of by its key and the kind that is expected.
func at(path string, body ast.Node, err error) error {
	var ye yaml.Error
	if !errors.As(err, &ye) || ye.GetToken() == nil {
		if !strings.HasPrefix(err.Error(), "time: ") {
			return fmt.Errorf("%s: the file is not valid", path)
		}
		const rule = "a duration is expected, as 90s or 10m"
		if all := refused(body, err); len(all) == 1 {
			return fmt.Errorf("%s: %s: %s", position(path, all[0]), strings.TrimPrefix(all[0].GetPath(), "$."), rule)
		}
		return fmt.Errorf("%s: %s", path, rule)
	}
	text := ye.GetMessage()
	if rule := kindRule(err); rule != "" {
		text = rule
		if all := find(body, func(n ast.Node) bool { return n.GetToken() == ye.GetToken() }); len(all) > 0 {
			text = strings.TrimPrefix(all[0].GetPath(), "$.") + ": " + rule
		}
	}
	p := ye.GetToken().Position
	return fmt.Errorf("%s:%d:%d: %s", path, p.Line, p.Column, text)
}

// kindRule says which kind of value is expected; empty: that is not the fault.
func kindRule(err error) string {
	var kind *yaml.TypeError
	var node *yaml.UnexpectedNodeTypeError
	var big *yaml.OverflowError
	switch {
	case errors.As(err, &kind):
		return fmt.Sprintf("%s is expected, not %s", kindName(kind.DstType), kindName(kind.SrcType))
	case errors.As(err, &node):
		return fmt.Sprintf("%s is expected, not %s", kindName(goTypes[node.Expected]), kindName(goTypes[node.Actual]))
	case errors.As(err, &big):
		return "the number is too large"
	default:
		return ""
	}
}

// goTypes are the values of a file as Go types.
var goTypes = map[ast.NodeType]reflect.Type{
	ast.MappingType: reflect.TypeFor[struct{}](), ast.MappingValueType: reflect.TypeFor[struct{}](), ast.SequenceType: reflect.TypeFor[[]any](),
	ast.StringType: reflect.TypeFor[string](), ast.LiteralType: reflect.TypeFor[string](), ast.BoolType: reflect.TypeFor[bool](),
	ast.IntegerType: reflect.TypeFor[int](), ast.FloatType: reflect.TypeFor[float64](), ast.InfinityType: reflect.TypeFor[float64](), ast.NanType: reflect.TypeFor[float64](),
	ast.TagType: reflect.TypeFor[any](),
}

// kindName is what a kind of value is called; no type is that of null.
func kindName(t reflect.Type) string {
	if t == nil {
		return "nothing"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return kindName(t.Elem())
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a block of keys"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "another kind of value"
	}
}

// refused lists the values that time.ParseDuration may have refused; its error,
// which has no position, ends with the value.
func refused(body ast.Node, err error) []ast.Node {
	return find(body, func(n ast.Node) bool {
		s, ok := n.(*ast.StringNode)
		return ok && strings.HasSuffix(err.Error(), strconv.Quote(s.Value))
	})
}

// find lists the nodes of body that fit, in the order of the file.
func find(body ast.Node, fits func(ast.Node) bool) []ast.Node {
	if body == nil {
		return nil
	}
	f := &finder{fits: fits}
	ast.Walk(f, body)
	return f.found
}

type finder struct {
	fits  func(ast.Node) bool
	found []ast.Node
}

// Visit keeps a node that fits.
func (f *finder) Visit(n ast.Node) ast.Visitor {
	if f.fits(n) {
		f.found = append(f.found, n)
	}
	return f
}
