package area_test

import (
	"fmt"
	"slices"
	"testing"

	"loa/configs"
	"loa/gateway/area"
)

func TestGather(t *testing.T) {
	t.Parallel()
	d, err := area.Load(configs.Areas)
	if err != nil {
		t.Fatal(err)
	}
	of := func(province area.Code) []area.Code {
		var all []area.Code
		for _, u := range d.Communes(province) {
			all = append(all, u.Code)
		}
		return all
	}
	qn, hp := of("22"), of("31")
	for name, c := range map[string]struct {
		in   []area.Code
		want string
	}{
		"a whole province":            {qn, "[22 54/54 true] []"},
		"two, in any order, repeated": {slices.Concat(hp, qn, hp[:3]), "[22 54/54 true 31 114/114 true] []"},
		"a whole one first":           {slices.Concat(qn[:50], hp), "[31 114/114 true 22 50/54 " + fmt.Sprint(special(d, qn[:50])) + "] []"},
		"a province and two communes": {append(slices.Clone(qn), hp[0], hp[1]), "[22 54/54 true] [" + string(hp[0]) + " " + string(hp[1]) + "]"},
		"half is not most":            {qn[:27], fmt.Sprint("[] ", qn[:27])},
		"three":                       {qn[:3], fmt.Sprint("[] ", qn[:3])},
		"what is no commune":          {[]area.Code{"99999", "22"}, "[] [22 99999]"},
		"nothing":                     {nil, "[] []"},
	} {
		shares, rest := d.Gather(c.in)
		got := "["
		for i, s := range shares {
			if i > 0 {
				got += " "
			}
			got += fmt.Sprintf("%s %d/%d %v", s.Province.Code, s.Part, s.Whole, s.Special)
		}
		if got += fmt.Sprint("] ", rest); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

func special(d *area.Directory, codes []area.Code) bool {
	return slices.ContainsFunc(codes, func(c area.Code) bool {
		u, _ := d.Unit(c)
		return u.Kind == area.Special
	})
}
