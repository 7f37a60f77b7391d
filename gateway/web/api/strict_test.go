package api

import (
	"errors"
	"strings"
	"testing"
)

func TestDecodeStrict(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 10_001)
	for name, c := range map[string]struct {
		body   string
		status int    // 0: taken
		says   string // in the detail or a field
	}{
		"taken":              {`{"status":"Actual","infos":[{"language":"vi-VN","expires":"2026-09-07T20:00:00+07:00","slots":{"level":"4"},"areas":[{"codes":["06673"],"polygons":[[[20.9,107]]]}]}]}`, 0, ""},
		"a whole pair":       {`{"note":"\ud83c\udf00","infos":[]}`, 0, ""},
		"B01 duplicate":      {`{"infos":[{"severity":"Minor","severity":"Extreme"}]}`, 400, "infos[0].severity: the key stands there twice"},
		"B01 by an escape":   {`{"infos":[{"severity":"Minor","s\u0065verity":"Extreme"}]}`, 400, "twice"},
		"B02 capitals":       {`{"STATUS":"Actual","infos":[]}`, 400, `unknown field "STATUS"`},
		"B03 long s":         {`{"ſtatus":"Actual","infos":[]}`, 400, "unknown field"},
		"B03 kelvin":         {`{"Kinds":["sms"],"infos":[]}`, 400, "unknown field"},
		"B04 null":           {`{"infos":[{"areas":null}]}`, 400, "infos[0].areas: null"},
		"B04 null body":      {`null`, 400, "null"},
		"B09 second":         {`{"infos":[]}{"infos":[]}`, 400, "follows"},
		"B09 rubbish":        {`{"infos":[]} x`, 400, "follows"},
		"B10 deep":           {`{"infos":` + deep, 400, "infos[0]: an object is expected"},
		"B10 deep and typed": {`{"infos":[{"areas":[{"polygons":[[[` + deep, 400, "a number is expected"},
		"B11 high alone":     {`{"note":"\ud800","infos":[]}`, 400, "surrogate"},
		"B11 low alone":      {`{"note":"\udc00","infos":[]}`, 400, "surrogate"},
		"B11 two highs":      {`{"note":"\ud83c\ud83c","infos":[]}`, 400, "surrogate"},
		"B11 escaped":        {`{"note":"\\ud800","infos":[]}`, 0, ""},
		"B12 override":       {`{"infos":[{"headline":"a\u202eb"}]}`, 422, "infos[0].headline"},
		"B12 zero width":     {`{"infos":[{"slots":{"place":"a\u200bb"}}]}`, 422, "infos[0].slots.place"},
		"B12 in a key":       {`{"infos":[{"slots":{"pl\u200bace":"a"}}]}`, 400, "hides"},
		"B33 proto":          {`{"__proto__":{},"infos":[]}`, 400, "__proto__"},
		"B33 constructor":    {`{"constructor":"x","infos":[]}`, 400, "constructor"},
		"not UTF-8":          {"{\"note\":\"\xff\",\"infos\":[]}", 400, "UTF-8"},
		"cut off":            {`{"infos":[`, 400, "cut off"},
		"empty":              {``, 400, "cut off"},
		"not JSON":           {`status: Actual`, 400, "not JSON"},
		"number for a code":  {`{"infos":[{"areas":[{"codes":[6673]}]}]}`, 400, "leading zeros"},
		"text for a list":    {`{"infos":"x"}`, 400, "a list is expected"},
		"half a point":       {`{"infos":[{"areas":[{"polygons":[[[1]]]}]}]}`, 400, "2 values"},
		"no offset":          {`{"infos":[{"expires":"2026-09-07T20:00:00"}]}`, 400, "a time such as"},
		"a huge number":      {`{"infos":[{"areas":[{"circles":[{"center":[1,2],"radius":1e999}]}]}]}`, 400, "a number is expected"},
	} {
		var d Draft
		err := decodeStrict([]byte(c.body), &d)
		var body *bodyError
		switch {
		case c.status == 0 && err != nil:
			t.Errorf("%s: refused: %v", name, err)
		case c.status == 0:
		case !errors.As(err, &body) || body.status != c.status:
			t.Errorf("%s: %v, want status %d", name, err, c.status)
		default:
			said := body.detail
			for _, f := range body.fields {
				said += "; " + f.Field + ": " + f.Rule
			}
			if !strings.Contains(said, c.says) {
				t.Errorf("%s: said %q, want %q in it", name, said, c.says)
			}
		}
	}
}

// What is said of a stranger's key stays short.
func TestLongKeysAreClipped(t *testing.T) {
	t.Parallel()
	err := decodeStrict([]byte(`{"`+strings.Repeat("ă", 5000)+`":1}`), &Draft{})
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("%v", err)
	}
}

// Whatever comes in is taken or refused as a request, and nothing panics.
func FuzzDecodeStrict(f *testing.F) {
	f.Add([]byte(`{"status":"Test","infos":[{"slots":{"a":"b"}}]}`))
	f.Add([]byte(`{"infos":[{"areas":[{"circles":[{"center":[20,107],"radius":5}]}]}]}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		var d Draft
		err := decodeStrict(src, &d)
		var body *bodyError
		if err != nil && !errors.As(err, &body) {
			t.Errorf("%q: %v is no refusal", src, err)
		}
	})
}
