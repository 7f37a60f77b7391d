package api

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"loa/gateway/alert"
)

// maxDepth is how deep lists and objects may lie in each other: an area's
// polygon is nine deep.
const maxDepth = 16

// decodeStrict reads one JSON document that can be understood in one way only.
// A key must be spelled exactly as documented and stand once; null, a second
// document, deep nesting, half of a surrogate pair and bytes that are not UTF-8
// are refused as malformed (400). Text that hides characters is refused as
// content (422).
func decodeStrict(src []byte, into any) error {
	if !utf8.Valid(src) {
		return malformed("", "the body is not UTF-8")
	}
	if loneSurrogate(src) {
		return malformed("", "an escape is half of a surrogate pair")
	}
	w := walker{dec: json.NewDecoder(bytes.NewReader(src))}
	w.dec.UseNumber()
	if err := w.value("", reflect.TypeOf(into).Elem(), 0); err != nil {
		return w.syntax(err)
	}
	if _, err := w.dec.Token(); !errors.Is(err, io.EOF) {
		return malformed("", "something follows the document")
	}
	if len(w.unseen) > 0 {
		return &bodyError{status: 422, kind: "invalid", detail: "a text hides characters", fields: w.unseen}
	}
	if err := json.Unmarshal(src, into); err != nil {
		return malformed("", err.Error())
	}
	return nil
}

// walker checks a document against a type without building anything.
type walker struct {
	dec    *json.Decoder
	unseen []fieldFault
}

// syntax turns an error of the JSON reader into a refusal with its place.
func (w *walker) syntax(err error) error {
	if _, ok := errors.AsType[*bodyError](err); ok {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("", "the document is cut off")
	}
	return malformed("", fmt.Sprintf("not JSON near byte %d", w.dec.InputOffset()))
}

var textType = reflect.TypeFor[encoding.TextUnmarshaler]()

func (w *walker) value(path string, t reflect.Type, depth int) error {
	if depth > maxDepth {
		return malformed("", fmt.Sprintf("nested deeper than %d", maxDepth))
	}
	token, err := w.dec.Token()
	if err != nil {
		return err
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == rawType {
		return w.foreign(path, token, depth)
	}
	if token == nil {
		return malformed(path, "null is not taken: leave the field out")
	}
	switch v := token.(type) {
	case json.Delim:
		if v == '{' {
			return w.object(path, t, depth)
		}
		return w.list(path, t, depth)
	case string:
		return w.text(path, t, v)
	case json.Number:
		return number(path, t, v)
	default:
		if t.Kind() != reflect.Bool {
			return malformed(path, expected(t))
		}
		return nil
	}
}

var rawType = reflect.TypeFor[json.RawMessage]()

// foreign takes a document whose form another standard has: any, but each key
// stands once and it is not nested too deep.
func (w *walker) foreign(path string, token json.Token, depth int) error {
	if depth > maxDepth {
		return malformed("", fmt.Sprintf("nested deeper than %d", maxDepth))
	}
	open, isDelim := token.(json.Delim)
	if !isDelim {
		return nil
	}
	seen := map[string]bool{}
	for w.dec.More() {
		inner, err := w.dec.Token()
		if err != nil {
			return err
		}
		if open == '{' {
			key, _ := inner.(string)
			if seen[key] {
				return malformed(join(path, key), "the key stands there twice")
			}
			seen[key] = true
			if inner, err = w.dec.Token(); err != nil {
				return err
			}
		}
		if err := w.foreign(path, inner, depth+1); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}

func (w *walker) object(path string, t reflect.Type, depth int) error {
	isMap := t.Kind() == reflect.Map
	if !isMap && (t.Kind() != reflect.Struct || isText(t)) {
		return malformed(path, expected(t))
	}
	seen := map[string]bool{}
	for w.dec.More() {
		token, err := w.dec.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		field := join(path, key)
		if seen[key] {
			return malformed(field, "the key stands there twice")
		}
		seen[key] = true
		if isMap && alert.Unseen(key) {
			return malformed(path, "a key hides characters")
		}
		inner, ok := member(t, key)
		if !ok {
			return malformed(field, fmt.Sprintf("unknown field %q; keys are case-sensitive", clipped(key)))
		}
		if err := w.value(field, inner, depth+1); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}

func (w *walker) list(path string, t reflect.Type, depth int) error {
	if t.Kind() != reflect.Slice && t.Kind() != reflect.Array {
		return malformed(path, expected(t))
	}
	n := 0
	for ; w.dec.More(); n++ {
		if err := w.value(path+"["+strconv.Itoa(n)+"]", t.Elem(), depth+1); err != nil {
			return err
		}
	}
	if t.Kind() == reflect.Array && n != t.Len() {
		return malformed(path, fmt.Sprintf("%d values are expected", t.Len()))
	}
	_, err := w.dec.Token()
	return err
}

func (w *walker) text(path string, t reflect.Type, s string) error {
	if isText(t) {
		v, ok := reflect.TypeAssert[encoding.TextUnmarshaler](reflect.New(t))
		if !ok || v.UnmarshalText([]byte(s)) != nil {
			return malformed(path, expected(t))
		}
		return nil
	}
	if t.Kind() != reflect.String {
		return malformed(path, expected(t))
	}
	if alert.Unseen(s) {
		w.unseen = append(w.unseen, fieldFault{path, "no hidden, zero-width or direction-changing characters (B12)"})
	}
	return nil
}

func number(path string, t reflect.Type, n json.Number) error {
	var err error
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
		_, err = strconv.ParseInt(n.String(), 10, 64)
	case reflect.Float64:
		_, err = strconv.ParseFloat(n.String(), 64)
	default:
		err = errors.ErrUnsupported
	}
	if err != nil {
		return malformed(path, expected(t))
	}
	return nil
}

func isText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textType) }

// member finds the field of exactly this name; a map has every one.
func member(t reflect.Type, key string) (reflect.Type, bool) {
	if t.Kind() == reflect.Map {
		return t.Elem(), true
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			if inner, ok := member(f.Type, key); ok {
				return inner, true
			}
			continue
		}
		if name == key {
			return f.Type, true
		}
	}
	return nil, false
}

func expected(t reflect.Type) string {
	switch {
	case isText(t):
		return "a time such as 2026-09-07T14:15:00+07:00 is expected"
	case t.Kind() == reflect.String:
		return "text in quotation marks is expected; leading zeros of a code count"
	case t.Kind() == reflect.Bool:
		return "true or false is expected"
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		return "a whole number is expected"
	case t.Kind() == reflect.Float64:
		return "a number is expected"
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Array:
		return "a list is expected"
	default:
		return "an object is expected"
	}
}

func join(path, key string) string {
	if path == "" {
		return clipped(key)
	}
	return path + "." + clipped(key)
}

// clipped keeps what a stranger wrote short in an answer.
func clipped(s string) string {
	const longest = 40
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "") + "…"
}

// loneSurrogate reports an escape of one half of a surrogate pair: the JSON
// reader would replace it in silence (RFC 8259, section 8.2).
func loneSurrogate(src []byte) bool {
	for i := 0; i+1 < len(src); i++ {
		if src[i] != '\\' {
			continue
		}
		if src[i+1] != 'u' {
			i++
			continue
		}
		first := escape(src[i:])
		switch {
		case first >= 0xdc00 && first <= 0xdfff:
			return true
		case first >= 0xd800 && first <= 0xdbff:
			i += 6
			if second := escape(src[min(i, len(src)):]); second < 0xdc00 || second > 0xdfff {
				return true
			}
			i += 5
		default:
			i += 5
		}
	}
	return false
}

// escape reads "\uXXXX" at the beginning of b, or returns -1.
func escape(b []byte) int {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return int(n)
}
