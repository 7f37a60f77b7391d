package area_test

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/gateway/area"
)

const columns = "code,kind,parent,name,name_en,lat,lon,population,from,until,successors\n"

// A made-up country: two provinces, one of them new since 2025; Bản Cũ goes to
// Bản Mới in 2027; the old commune Đồng Giữa was divided.
const (
	newFacts = columns +
		`90,thanh_pho,,Sông Trong,Song Trong,21.1,106.1,90000,2025-07-01,,
91,tinh,,Núi Ngoài,Nui Ngoai,22,105,5000,2025-07-01,,
00001,xa,90,Cẩm Giang,Cam Giang,21.05,106.05,1000,2025-07-01,,
00002,xa,90,Cẩm Giàng,Cam Giang,21.05,106.15,2000,2025-07-01,,
00003,phuong,90,Đông Hòa,Dong Hoa,21.15,106.05,,2025-07-01,,
00004,phuong,90,Hải An - Cửa Đục,Hai An,21.15,106.15,4000,2025-07-01,,
00009,xa,91,Bản Cũ,Ban Cu,22.05,105.05,500,2025-07-01,2027-01-01,00010
00010,dac_khu,91,Bản Mới,Ban Moi,22.05,105.05,500,2027-01-01,,
`
	oldFacts = columns +
		`90,tinh,,Sông Trong,,,,,,2025-07-01,90
92,tinh,,Đất Cũ,,,,,,2025-07-01,90
900,quan,90,Bờ Tây,,,,,,2025-07-01,00001 00003
901,huyen,92,Cẩm Giàng,,,,,,2025-07-01,00002 00004
902,huyen,92,Đảo Xa,,,,,,2025-07-01,00009
00001,phuong,900,12,,,,,,2025-07-01,00003
00005,xa,900,Đồng Giữa,,,,,,2025-07-01,00001 00003
00006,thi_tran,901,Chợ Hoà,,,,,,2025-07-01,00002
00007,phuong,901,12,,,,,,2025-07-01,00004
`
)

var (
	in2024 = time.Date(2024, 9, 7, 14, 0, 0, 0, time.UTC)
	in2026 = time.Date(2026, 9, 7, 14, 0, 0, 0, time.UTC)
	in2028 = time.Date(2028, 9, 7, 14, 0, 0, 0, time.UTC)
)

func facts(current, old string) fs.FS {
	return fstest.MapFS{"areas.csv": {Data: []byte(current)}, "areas-old.csv": {Data: []byte(old)}}
}

func madeUp(t testing.TB) *area.Directory {
	t.Helper()
	d, err := area.Load(facts(newFacts, oldFacts))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestShippedDirectory(t *testing.T) {
	t.Parallel()
	d := load(t)
	provinces := d.Provinces()
	kinds := map[area.Kind]int{}
	codes := make([]area.Code, 0, len(provinces))
	for _, p := range provinces {
		codes = append(codes, p.Code)
		kinds[p.Kind]++
		for _, c := range d.Communes(p.Code) {
			kinds[c.Kind]++
			if c.Parent != p.Code || c.Lat < 6 || c.Lat > 24 || c.Lon < 102 || c.Lon > 118 {
				t.Errorf("%+v: wrong parent or centre", c)
			}
		}
	}
	want := map[area.Kind]int{area.City: 7, area.Province: 27, area.Ward: 697, area.Commune: 2611, area.Special: 13}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("units by kind: %s", diff)
	}
	all, err := d.Expand(codes)
	if err != nil || len(all) != 3321 {
		t.Errorf("Expand of all provinces = %d communes, %v", len(all), err)
	}
	for code, n := range map[area.Code]int{"22": 54, "31": 114} {
		if got := d.Communes(code); len(got) != n {
			t.Errorf("province %s has %d communes, want %d", code, len(got), n)
		}
	}
	coTo, ok := d.Unit("07192")
	july := time.Date(2025, 7, 1, 0, 0, 0, 0, time.FixedZone("", 7*3600))
	wantUnit := area.Unit{
		Code: "07192", Parent: "22", Kind: area.Special, Name: "Cô Tô", NameEN: "Co To", FullName: "Đặc khu Cô Tô",
		Lat: coTo.Lat, Lon: coTo.Lon, Population: 7151, From: july,
	}
	if diff := cmp.Diff(wantUnit, coTo); !ok || diff != "" {
		t.Errorf("Cô Tô: %s", diff)
	}
}

// Every old code leads to communes in force, so nobody who says an old name is
// left without an answer.
func TestEveryOldCommuneHasHeirs(t *testing.T) {
	t.Parallel()
	d := load(t)
	old, divided := 0, 0
	for _, row := range strings.Split(shippedFile(t, "areas-old.csv"), "\n")[1:] {
		code, _, _ := strings.Cut(row, ",")
		if code == "" {
			continue
		}
		u, ok := d.UnitAt(area.Code(code), in2024)
		if !ok || u.Until.IsZero() {
			t.Fatalf("%s was not a unit in 2024: %+v", code, u)
		}
		heirs := d.Heirs(u)
		if len(heirs) == 0 {
			t.Errorf("%s has no heirs", u.FullName)
		}
		if u.Code.IsCommune() {
			old++
			if len(heirs) > 1 {
				divided++
			}
		}
	}
	if old != 10035 || divided == 0 {
		t.Errorf("%d old communes, %d of them divided", old, divided)
	}
}

func TestUnitOverTime(t *testing.T) {
	t.Parallel()
	d := madeUp(t)
	for _, tt := range []struct {
		code area.Code
		at   time.Time
		want string
	}{
		{"00001", in2024, "Phường 12"},
		{"00001", in2026, "Xã Cẩm Giang"},
		{"90", in2024, "Tỉnh Sông Trong"},
		{"90", time.Date(2025, 6, 30, 16, 59, 59, 0, time.UTC), "Tỉnh Sông Trong"},
		{"90", time.Date(2025, 6, 30, 17, 0, 0, 0, time.UTC), "Thành phố Sông Trong"}, // midnight in Vietnam
		{"00009", in2026, "Xã Bản Cũ"},
		{"00009", in2028, ""},
		{"00010", in2026, ""},
		{"00010", in2028, "Đặc khu Bản Mới"},
		{"1", in2026, ""},
	} {
		u, ok := d.UnitAt(tt.code, tt.at)
		if u.FullName != tt.want || ok != (tt.want != "") {
			t.Errorf("UnitAt(%s, %v) = %q, want %q", tt.code, tt.at, u.FullName, tt.want)
		}
	}
	if u, ok := d.Unit("00009"); ok {
		t.Errorf("Unit of a code with an end = %+v", u)
	}
}

func TestCommunesAndHeirs(t *testing.T) {
	t.Parallel()
	d := madeUp(t)
	for under, want := range map[area.Code]string{
		"90": "00001 00002 00003 00004", "00003": "00003", "91": "00010", "00009": "", "901": "", "1": "", "": "",
	} {
		got := make([]string, 0, 4)
		for _, u := range d.Communes(under) {
			got = append(got, string(u.Code))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("Communes(%q) = %v, want %q", under, got, want)
		}
	}
	for code, want := range map[area.Code][]area.Code{
		"92": {"00002", "00004", "00010"}, "900": {"00001", "00003"}, "902": {"00010"}, "00005": {"00001", "00003"},
	} {
		u, ok := d.UnitAt(code, in2024)
		if !ok {
			t.Fatal(code)
		}
		if diff := cmp.Diff(want, d.Heirs(u)); diff != "" {
			t.Errorf("Heirs(%s): %s", u.FullName, diff)
		}
	}
	now, _ := d.Unit("91")
	if diff := cmp.Diff([]area.Code{"00010"}, d.Heirs(now)); diff != "" {
		t.Errorf("Heirs of a unit in force: %s", diff)
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	d := madeUp(t)
	got, err := d.Expand([]area.Code{"00004", "90", "00010", "00004"})
	want := []area.Code{"00001", "00002", "00003", "00004", "00010"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for _, empty := range [][]area.Code{nil, {}} {
		if got, err := d.Expand(empty); !errors.Is(err, area.ErrEmpty) || got != nil {
			t.Errorf("Expand of nothing = %v, %v", got, err)
		}
	}
}

func TestExpandRefusesTheWholeList(t *testing.T) {
	t.Parallel()
	d := madeUp(t)
	got, err := d.Expand([]area.Code{"90", "3", "00099", "901", "", "VN"})
	if got != nil {
		t.Errorf("got %v beside an error", got)
	}
	var unknown *area.UnknownError
	if !errors.As(err, &unknown) || unknown.Code != "3" || unknown.Like != "00003" {
		t.Errorf("unknown = %+v", unknown)
	}
	var ended *area.EndedError
	if !errors.As(err, &ended) || ended.Unit.FullName != "Huyện Cẩm Giàng" ||
		!slices.Equal(ended.Successors, []area.Code{"00002", "00004"}) {
		t.Errorf("ended = %+v", ended)
	}
	for _, want := range []string{
		`code "3": unknown; leading zeros count, is it 00003?`, `code "00099": unknown`, `code "": unknown`, `code "VN": unknown`,
		`code "901": Huyện Cẩm Giàng ended on 2025-07-01; choose among its successors: 00002 00004`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	_, err = d.Expand([]area.Code{"00009"})
	if !errors.As(err, &ended) || !slices.Equal(ended.Successors, []area.Code{"00010"}) {
		t.Errorf("a commune that ends in 2027: %v", err)
	}
	empty := strings.ReplaceAll(newFacts, "00010,dac_khu,91", "00010,dac_khu,90")
	d, err = area.Load(facts(empty, oldFacts))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Expand([]area.Code{"91"}); !errors.Is(err, area.ErrEmpty) {
		t.Errorf("a province without communes: %v", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	swap := func(old, with string) fs.FS { return facts(strings.Replace(newFacts, old, with, 1), oldFacts) }
	for _, tt := range []struct {
		name string
		fsys fs.FS
		want string
	}{
		{"no file", fstest.MapFS{}, "areas.csv"},
		{"no old names", fstest.MapFS{"areas.csv": {Data: []byte(newFacts)}}, "areas-old.csv"},
		{"empty", facts("", oldFacts), "areas.csv"},
		{"no units", facts(columns, columns), "no unit is in force"},
		{"other columns", swap("name_en", "english"), "areas.csv:1: header"},
		{"columns missing", swap("90,thanh_pho,,", "90,thanh_pho,"), "line 2"},
		{"code", swap("00003,phuong", "0003,phuong"), `areas.csv:6: code: "0003"`},
		{"code in other digits", swap("00003,phuong", "٣٣,phuong"), "areas.csv:6: code"},
		{"kind", swap("phuong,90,Đông", "ward,90,Đông"), `areas.csv:6: kind: "ward"`},
		{"name", swap(",Cẩm Giang,", ",,"), "areas.csv:4: name"},
		{"latitude", swap("21.15,106.05", "106.05,21.15"), "areas.csv:6: lat"},
		{"longitude", swap("21.15,106.05", "21.15,NaN"), "areas.csv:6: lon"},
		{"population", swap(",2000,", ",-1,"), "areas.csv:5: population"},
		{"day", swap("1000,2025-07-01", "1000,1/7/2025"), "areas.csv:4: from"},
		{"ends before it begins", swap("2025-07-01,2027-01-01", "2027-01-01,2027-01-01"), "areas.csv:8: until"},
		{"successor of a unit in force", swap("1000,2025-07-01,,", "1000,2025-07-01,,00002"), "areas.csv:4: successors"},
		{"unknown successor", swap("2027-01-01,00010", "2027-01-01,00011"), "code 00009: successors: no unit 00011"},
		{"unknown parent", swap("xa,90,Cẩm Giang", "xa,99,Cẩm Giang"), "code 00001: parent: no unit 99"},
		{"commune without parent", swap("xa,90,Cẩm Giang", "xa,,Cẩm Giang"), "code 00001: parent"},
		{"two at once", swap("00003,phuong", "00002,phuong"), "code 00002: two rows"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, err := area.Load(tt.fsys)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("err = %v, want %q", err, tt.want)
			}
			if d != nil {
				t.Error("half a directory was returned")
			}
		})
	}
}
