package area_test

import (
	"testing"

	"loa/configs"
	"loa/gateway/area"
)

func TestCollisions(t *testing.T) {
	t.Parallel()
	d, err := area.Load(configs.Areas)
	if err != nil {
		t.Fatal(err)
	}
	found := d.Collisions()
	var inHaiPhong []string
	for _, u := range d.Communes("31") {
		if found[u.Code] {
			inHaiPhong = append(inHaiPhong, u.Name)
		}
	}
	if len(inHaiPhong) != 2 || inHaiPhong[0] == inHaiPhong[1] {
		t.Errorf("Hải Phòng: %q, want Cẩm Giang and Cẩm Giàng", inHaiPhong)
	}
	for _, u := range d.Communes("22") {
		if found[u.Code] {
			t.Errorf("Quảng Ninh: %s collides with nothing", u.FullName)
		}
	}
}
