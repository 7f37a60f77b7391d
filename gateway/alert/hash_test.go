package alert

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// full is a revision in which no field is empty.
func full() *Revision {
	sent := time.Date(2024, 9, 7, 6, 0, 0, 0, time.FixedZone("", 7*3600))
	low, high := 10.0, 200.0
	return &Revision{
		Alert: "20240906T230000Z-abcdefghijklmnop", Number: 2, Code: "K7M2",
		Identifier: "20240906T230000Z-abcdefghijklmnop.2", Sender: "loa.quangninh.example", Sent: sent,
		Status: Actual, MsgType: MsgUpdate, Scope: Restricted, Source: "Đài khí tượng", Restriction: "cán bộ trực",
		Addresses: []string{"truc ban"}, Codes: []string{"CAP-VN-draft:0.1"}, Note: "ghi chú",
		References: []Reference{{"loa.quangninh.example", "m.1", sent.Add(-time.Hour)}},
		Incidents:  []string{"bão số 3"},
		Infos: []Info{{
			Language: "vi-VN", Categories: []Category{"Met"}, Event: "Bão số 3", ResponseTypes: []ResponseType{"Shelter"},
			Urgency: "Expected", Severity: Extreme, Certainty: "Likely", Audience: "mọi người",
			EventCodes: []NamedValue{{HazardName, "storm"}},
			Effective:  sent, Onset: sent.Add(time.Hour), Expires: sent.Add(6 * time.Hour),
			SenderName: "Ban Chỉ huy Phòng thủ dân sự tỉnh Quảng Ninh", Headline: "Tin bão khẩn cấp",
			Description: "Bão số 3 vào vịnh Bắc Bộ, gió cấp 14.", Instruction: "Ở trong nhà chắc chắn.",
			Web: "https://quangninh.example/K7M2", Contact: "112",
			Parameters: []NamedValue{{RiskLevelName, "4"}},
			Resources:  []Resource{{"Bản đồ", "image/png", 1024, "https://quangninh.example/b.png", "00ff"}},
			Areas: []Area{{
				Desc:     "đặc khu Cô Tô",
				Polygons: [][]Point{{{20, 107}, {21, 107}, {21, 108}, {20, 107}}},
				Circles:  []Circle{{Point{20.97, 107.76}, 12}},
				Geocodes: []NamedValue{{"VN-NSO-2025", "07192"}},
				Altitude: &low, Ceiling: &high,
			}},
			Template: "storm.emergency", Slots: map[string]string{"wind": "12-14"},
		}},
	}
}

// The encoding is stored in people's signatures: another value here means that
// the version in its name must change.
func TestHashIsStable(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]*Revision{
		"6825cb8c34f6f453b8f8d4bb1ee4b29231204975925b0b1893be5d6556548f01": full(),
		"b5a639067cdd4d2771acf132d146e3c0374677be3d9cb598f081f2c448ab7cec": {},
	} {
		if got := r.Hash().String(); got != want {
			t.Errorf("hash = %s, want %s", got, want)
		}
	}
}

func TestHashText(t *testing.T) {
	t.Parallel()
	h := full().Hash()
	text, err := h.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var back Hash
	if err := back.UnmarshalText(text); err != nil || back != h {
		t.Errorf("read back %v, %v", back, err)
	}
	for _, bad := range []string{"", "00", string(text) + "00", "zz" + string(text[2:])} {
		if err := back.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q was read as a hash", bad)
		}
	}
}

// Every leaf of the structure, whatever fields it will get, is in the hash.
func TestHashCoversEveryField(t *testing.T) {
	t.Parallel()
	r := full()
	before := r.Hash()
	leaves := 0
	var walk func(path string, v reflect.Value)
	changed := func(path string) {
		leaves++
		if r.Hash() == before {
			t.Errorf("a change of %s does not change the hash", path)
		}
	}
	walk = func(path string, v reflect.Value) {
		old := reflect.New(v.Type()).Elem()
		old.Set(v)
		switch v.Kind() {
		case reflect.String:
			v.SetString(v.String() + "x")
		case reflect.Int, reflect.Int64:
			v.SetInt(v.Int() + 1)
		case reflect.Float64:
			v.SetFloat(v.Float() + 0.5)
		case reflect.Pointer:
			walk(path, v.Elem())
			v.SetZero()
		case reflect.Map:
			v.Set(reflect.ValueOf(map[string]string{"wind": "12-15"}))
		case reflect.Slice:
			for i := range v.Len() {
				walk(path+"[]", v.Index(i))
			}
			v.Set(v.Slice(0, v.Len()-1))
		case reflect.Struct:
			if at, ok := reflect.TypeAssert[time.Time](v); ok {
				v.Set(reflect.ValueOf(at.Add(time.Nanosecond)))
				break
			}
			for i := range v.NumField() {
				walk(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
			return
		default:
			t.Fatalf("%s: no change known for a %s", path, v.Kind())
		}
		changed(path)
		v.Set(old)
	}
	walk("Revision", reflect.ValueOf(r).Elem())
	if r.Hash() != before {
		t.Fatal("the walk did not put everything back")
	}
	if leaves < 60 {
		t.Errorf("only %d leaves seen", leaves)
	}
}

func TestHashIgnoresFormNotContent(t *testing.T) {
	t.Parallel()
	r, empty := &Revision{}, &Revision{
		Addresses: []string{}, Codes: []string{}, References: []Reference{}, Incidents: []string{}, Infos: []Info{},
	}
	if r.Hash() != empty.Hash() {
		t.Error("nil and empty lists differ")
	}
	a := &Revision{Infos: []Info{{}}}
	b := &Revision{Infos: []Info{{
		Categories: []Category{}, ResponseTypes: []ResponseType{}, EventCodes: []NamedValue{}, Parameters: []NamedValue{},
		Resources: []Resource{}, Areas: []Area{}, Slots: map[string]string{},
	}}}
	if a.Hash() != b.Hash() {
		t.Error("nil and empty lists of a block differ")
	}
	c := full()
	c.Sent = c.Sent.UTC()
	if c.Hash() != full().Hash() {
		t.Error("the same instant in another offset differs")
	}
}

// Text cannot wander from one field to the next, nor items from one list to
// the next, without a change of the hash.
func TestHashKeepsFieldsApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		cut := rapid.IntRange(0, len(text)).Draw(t, "cut")
		at := rapid.IntRange(0, len(text)).Draw(t, "at")
		a := &Revision{Source: text[:cut], Restriction: text[cut:], Codes: []string{text[:cut], text[cut:]}}
		b := &Revision{Source: text[:at], Restriction: text[at:], Codes: []string{text[:at], text[at:]}}
		if (a.Hash() == b.Hash()) != (cut == at) {
			t.Fatalf("cut at %d and at %d of %q", cut, at, text)
		}
	})
}
