package area_test

import (
	"bytes"
	"encoding/csv"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the area facts in configs from the data collection")

const (
	decision19 = "2025-07-01" // Decision 19/2025/QĐ-TTg comes into force
	dongNai    = "75"
	dongNaiDay = "2026-04-30" // resolution 30/2026/QH16: Đồng Nai becomes a city
)

var header = []string{"code", "kind", "parent", "name", "name_en", "lat", "lon", "population", "from", "until", "successors"}

// TestShippedFacts builds the facts from the data collection and compares them
// with the shipped ones, so that neither drifts. After the collection changes:
// go test ./gateway/area -run TestShippedFacts -update.
func TestShippedFacts(t *testing.T) {
	t.Parallel()
	provinces := readTable(t, "provinces.csv")
	communes := readTable(t, "communes.csv")
	old := readTable(t, "old-new-communes.csv")
	for name, rows := range map[string][][]string{
		"areas.csv":     unitRows(t, provinces, communes),
		"areas-old.csv": oldRows(t, old),
	} {
		var want bytes.Buffer
		w := csv.NewWriter(&want)
		if err := w.WriteAll(append([][]string{header}, rows...)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(moduleRoot(t), "configs", name)
		if *update {
			if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(want.String(), "\n"), strings.Split(string(got), "\n")); diff != "" {
			t.Errorf("%s is not what the data collection says; run with -update\n%s", name, diff)
		}
	}
}

func readTable(t *testing.T, name string) []map[string]string {
	t.Helper()
	f, err := os.Open(sharedData(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]map[string]string, 0, len(lines))
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

func unitRows(t *testing.T, provinces, communes []map[string]string) [][]string {
	t.Helper()
	var rows [][]string
	for _, u := range slices.Concat(provinces, communes) {
		row := []string{
			u["code"], u["type"], u["province_code"], u["name"], englishName(u), u["lat"], u["lon"],
			u["population"], decision19, "", "",
		}
		if title, _ := titleOf(u["full_name"], u["name"]); kindOf(t, title) != u["type"] {
			t.Fatalf("%s: full name %q does not fit type %q", u["code"], u["full_name"], u["type"])
		}
		if u["code"] == dongNai {
			before := slices.Clone(row)
			before[1], before[9] = "tinh", dongNaiDay
			rows = append(rows, before)
			row[8] = dongNaiDay
		}
		rows = append(rows, row)
	}
	return rows
}

// englishName keeps to Vietnamese names for the two archipelagos, as official
// English texts of Vietnam do.
func englishName(u map[string]string) string {
	switch u["code"] {
	case "20333":
		return "Hoang Sa"
	case "22736":
		return "Truong Sa"
	default:
		return u["name_en"]
	}
}

type oldUnit struct {
	kind, parent, name string
	successors         map[string]bool
}

// oldRows lists the units of before July 2025, provinces first, each with its
// successors. A divided commune has several.
func oldRows(t *testing.T, pairs []map[string]string) [][]string {
	t.Helper()
	units := map[string]*oldUnit{}
	add := func(code, parent, full, successor string) {
		title, name := titleOf(full, "")
		kind := kindOf(t, title)
		u := units[code]
		if u == nil {
			u = &oldUnit{kind, parent, name, map[string]bool{}}
			units[code] = u
		}
		if u.name != name || u.kind != kind || u.parent != parent {
			t.Fatalf("%s: two units bear the code: %s, %s", code, u.name, name)
		}
		u.successors[successor] = true
	}
	divided := map[string]bool{}
	for _, p := range pairs {
		add(p["old_province_code"], "", p["old_province"], p["new_province_code"])
		add(p["old_district_code"], p["old_province_code"], p["old_district"], p["new_commune_code"])
		if code := p["old_commune_code"]; code != "" {
			add(code, p["old_district_code"], p["old_commune"], p["new_commune_code"])
			divided[code] = p["is_divided"] == "1"
		}
	}
	codes := slices.SortedFunc(maps.Keys(units), func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	rows := make([][]string, 0, len(codes))
	for _, code := range codes {
		u := units[code]
		if len(code) == 5 && divided[code] != (len(u.successors) > 1) {
			t.Fatalf("%s: is_divided does not fit its %d successors", code, len(u.successors))
		}
		rows = append(rows, []string{
			code, u.kind, u.parent, u.name, "", "", "", "", "", decision19,
			strings.Join(slices.Sorted(maps.Keys(u.successors)), " "),
		})
	}
	return rows
}

var kinds = map[string]string{
	"Tỉnh": "tinh", "Thành phố": "thanh_pho", "Phường": "phuong", "Xã": "xa", "Đặc khu": "dac_khu",
	"Huyện": "huyen", "Quận": "quan", "Thị xã": "thi_xa", "Thị trấn": "thi_tran",
}

func titleOf(full, name string) (title, rest string) {
	if name != "" {
		return strings.TrimSuffix(full, " "+name), name
	}
	for title := range kinds { // some rows say "Thị Trấn", "Thành Phố"
		if n := len(title) + 1; len(full) > n && strings.EqualFold(full[:n], title+" ") {
			return title, full[n:]
		}
	}
	return "", full
}

func kindOf(t *testing.T, title string) string {
	t.Helper()
	kind, ok := kinds[title]
	if !ok {
		t.Fatalf("%q is no kind of unit", title)
	}
	return kind
}
