package area_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/gateway/area"
)

// told writes a match in one line.
func told(m area.Match) string {
	s := fmt.Sprintf("%s %s: %s", m.Unit.Code, m.Unit.FullName, m.Why)
	if m.Old.Code != "" {
		s += " " + m.Old.FullName
	}
	if m.Divided {
		s += ", divided"
	}
	if !m.Marked {
		s += ", unmarked"
	}
	return s
}

func TestFind(t *testing.T) {
	t.Parallel()
	d := madeUp(t)
	for _, tt := range []struct {
		query string
		at    time.Time
		want  []string
	}{
		{"Cẩm Giàng", in2026, []string{
			"00002 Xã Cẩm Giàng: current name",
			"00004 Phường Hải An - Cửa Đục: old name Huyện Cẩm Giàng, divided",
			"00001 Xã Cẩm Giang: current name, unmarked",
		}},
		{"cam giang", in2026, []string{
			"00001 Xã Cẩm Giang: current name, unmarked",
			"00002 Xã Cẩm Giàng: current name, unmarked",
			"00004 Phường Hải An - Cửa Đục: old name Huyện Cẩm Giàng, divided, unmarked",
		}},
		{"huyện Cẩm Giàng", in2026, []string{
			"00002 Xã Cẩm Giàng: old name Huyện Cẩm Giàng, divided",
			"00004 Phường Hải An - Cửa Đục: old name Huyện Cẩm Giàng, divided",
			"00001 Xã Cẩm Giang: current name, unmarked",
		}},
		{"PHƯỜNG ĐÔNG HÒA", in2026, []string{"00003 Phường Đông Hòa: current name"}},
		{"phường đông hoà", in2026, []string{"00003 Phường Đông Hòa: current name"}},
		{"p. dong hoa", in2026, []string{"00003 Phường Đông Hòa: current name, unmarked"}},
		{"cửa đ", in2026, []string{"00004 Phường Hải An - Cửa Đục: current name"}},
		{"ải", in2026, nil}, // no word starts with it
		{"đồng giữa", in2026, []string{
			"00001 Xã Cẩm Giang: old name Xã Đồng Giữa, divided", "00003 Phường Đông Hòa: old name Xã Đồng Giữa, divided",
		}},
		{"Chợ Hòa", in2026, []string{"00002 Xã Cẩm Giàng: old name Thị trấn Chợ Hoà"}},
		{"tt cho hoa", in2026, []string{"00002 Xã Cẩm Giàng: old name Thị trấn Chợ Hoà, unmarked"}},
		{"phường 12", in2026, []string{
			"00003 Phường Đông Hòa: old name Phường 12", "00004 Phường Hải An - Cửa Đục: old name Phường 12",
		}},
		{"P12, q. Bờ Tây", in2026, []string{"00003 Phường Đông Hòa: old name Phường 12"}},
		{"phường 012, tỉnh Đất Cũ", in2026, []string{"00004 Phường Hải An - Cửa Đục: old name Phường 12"}},
		{"đông hoà, sông trong", in2026, []string{"00003 Phường Đông Hòa: current name"}},
		{"đông hoà, núi ngoài", in2026, nil},
		{"Đất Cũ", in2026, []string{"90 Thành phố Sông Trong: old name Tỉnh Đất Cũ"}},
		{"tp song trong", in2026, []string{"90 Thành phố Sông Trong: current name, unmarked"}},
		{"00001", in2026, []string{"00001 Xã Cẩm Giang: current code", "00003 Phường Đông Hòa: old code Phường 12"}},
		{" 902 ", in2026, []string{"00009 Xã Bản Cũ: old code Huyện Đảo Xa"}},
		{"902", in2028, []string{"00010 Đặc khu Bản Mới: old code Huyện Đảo Xa"}},
		{"bản", in2026, []string{"00009 Xã Bản Cũ: current name"}},
		{"bản", in2028, []string{
			"00010 Đặc khu Bản Mới: current name",
		}},
		{"bản cũ", in2028, []string{"00010 Đặc khu Bản Mới: old name Xã Bản Cũ"}},
		{"đồng giữa", in2024, []string{"00005 Xã Đồng Giữa: current name"}},
		{"bản mới", in2026, nil},
		{"", in2026, nil},
		{" - ,", in2026, nil},
		{"phường", in2026, nil},
		{"không có nơi này", in2026, nil},
	} {
		t.Run(tt.query, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, m := range d.Find(tt.query, tt.at, 0) {
				got = append(got, told(m))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFindLimit(t *testing.T) {
	t.Parallel()
	d := madeUp(t)
	all := d.Find("cẩm giàng", in2026, 0)
	if len(all) != 3 {
		t.Fatalf("%d matches", len(all))
	}
	for limit := 1; limit <= 4; limit++ {
		want := all[:min(limit, len(all))]
		if diff := cmp.Diff(want, d.Find("cẩm giàng", in2026, limit)); diff != "" {
			t.Errorf("limit %d: %s", limit, diff)
		}
	}
}

// Queries as people on the coast would type them, over the shipped facts.
func TestFindShipped(t *testing.T) {
	t.Parallel()
	d := load(t)
	for _, tt := range []struct {
		query string
		first string
		count int
	}{
		{"huyện Vân Đồn", "06994 Đặc khu Vân Đồn: old name Huyện Vân Đồn", 1},
		{"Cat Ba", "11914 Đặc khu Cát Hải: old name Thị trấn Cát Bà, unmarked", 1},
		{"huyen dao bach long vi", "11948 Đặc khu Bạch Long Vĩ: old name Huyện Bạch Long Vĩ, unmarked", 1},
		{"Bạch Long Vĩ", "11948 Đặc khu Bạch Long Vĩ: current name", 1},
		{"quận Hồng Bàng", "11311 Phường Hồng Bàng: old name Quận Hồng Bàng, divided", 4},
		{"xã Cẩm Giang, Hải Phòng", "10888 Xã Cẩm Giang: current name", 2},
		{"Xã Cẩm Giàng, Hải Phòng", "10903 Xã Cẩm Giàng: current name", 2},
		{"Phường 12, Quận 3", "27142 Phường Nhiêu Lộc: old name Phường 12", 1},
		{"biên hòa", "26068 Phường Biên Hoà: current name", 10},
		{"haiphong", "31 Thành phố Hải Phòng: current name, unmarked", 1},
		{"06886", "06886 Xã Hải Lạng: current code", 3},
	} {
		got := d.Find(tt.query, in2026, 0)
		if len(got) != tt.count {
			t.Errorf("%s: %d matches, want %d", tt.query, len(got), tt.count)
		}
		if len(got) > 0 && told(got[0]) != tt.first {
			t.Errorf("%s: first is %q, want %q", tt.query, told(got[0]), tt.first)
		}
	}
}

// Whatever a unit is called, it is found by that name, with and without marks.
func TestEveryCommuneIsFoundByItsName(t *testing.T) {
	t.Parallel()
	d := load(t)
	finds := func(query string, code area.Code) bool {
		for _, m := range d.Find(query, in2026, 0) {
			if m.Unit.Code == code {
				return true
			}
		}
		return false
	}
	for _, u := range d.Communes("22") {
		for _, query := range []string{u.FullName, u.Name, strings.ToUpper(u.FullName), u.NameEN, string(u.Code)} {
			if !finds(query, u.Code) {
				t.Errorf("%q does not find %s", query, u.FullName)
			}
		}
	}
}

func FuzzFind(f *testing.F) {
	d := madeUp(f)
	for _, q := range []string{"Cẩm Giàng", "p.12, q 3", "00001", "h", "q", "tp.", "ệ\u0301\u0301", "\xff\xfe", ",,,", "p０"} {
		f.Add(q, 3)
	}
	f.Fuzz(func(t *testing.T, query string, limit int) {
		got := d.Find(query, in2026, limit)
		if limit > 0 && len(got) > limit {
			t.Fatalf("%d matches over limit %d", len(got), limit)
		}
		for _, m := range got {
			if !m.Unit.In(in2026) || m.Why == 0 {
				t.Fatalf("%q: %+v", query, m)
			}
		}
	})
}
