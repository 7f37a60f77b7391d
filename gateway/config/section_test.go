package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewSectionKeepsValues(t *testing.T) {
	t.Parallel()
	type slot struct {
		Name    string `yaml:"name"`
		Longest int    `yaml:"longest"`
	}
	type text struct {
		Text  string `yaml:"text"`
		Slots []slot `yaml:"slots"`
	}
	want := []text{
		{"BCH PTDS Quảng Ninh tin {issued_at}: Bão số {storm_no} trên đất liền, rủi ro cấp {level}. Mã {code}", []slot{{"issued_at", 11}}},
		{"{a} # not a comment: 'quoted' \"too\"", []slot{}},
	}
	s, err := NewSection(struct {
		List []text `yaml:"list"`
	}{want})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		List []text `yaml:"list"`
	}
	if err := s.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got.List); d != "" {
		t.Error(d)
	}
}
