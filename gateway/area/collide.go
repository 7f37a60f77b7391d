package area

// Collisions lists the communes that share their name, once its marks are
// gone, with another commune of their province: Cẩm Giang and Cẩm Giàng. Text
// without marks cannot tell them apart.
func (d *Directory) Collisions() map[Code]bool {
	found := map[Code]bool{}
	for _, communes := range d.children {
		first := map[string]Code{}
		for _, e := range communes {
			plain := foldKey(e.Name).plain
			if other, taken := first[plain]; taken {
				found[other], found[e.Code] = true, true
				continue
			}
			first[plain] = e.Code
		}
	}
	return found
}
