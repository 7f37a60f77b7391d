package rig

import (
	"fmt"
	"time"
)

const update = `status: Actual
source: Trung tâm Dự báo khí tượng thủy văn quốc gia
infos:
  - language: vi-VN
    template: any.update
    slots: {old_code: %s, old_at: %q, hazard: "storm:3", change: "gió tăng lên cấp 14", action: stay_indoors, until: %q}
    categories: [Met]
    event: Bão số 3
    responseTypes: [Shelter]
    urgency: Immediate
    severity: Extreme
    certainty: Observed
    expires: %q
    parameters:
      - {name: VN-risk-level, value: "4"}
    areas:
      - codes: ["22"]
`

// Update replaces an alert by another text (Cập nhật), signed by both people,
// and returns the update's identifier.
func (r *Rig) Update(id string) string {
	r.Helper()
	now := time.Now().In(time.FixedZone("", 7*60*60)).Truncate(time.Minute)
	until := now.Add(6 * time.Hour).Format(time.RFC3339)
	n, a := r.alive(), r.Status(id)
	by := idForm.FindString(n.Loa(r.tokens[0], fmt.Sprintf(update, a.Code, issuedAt(a), until, until), "alert", "update", id, "-"))
	hash := hashForm.FindString(n.Loa(r.tokens[0], "", "alert", "submit", by))
	if by == "" || hash == "" {
		r.Fatalf("the update has no id or no hash: %q, %q", by, hash)
	}
	r.Approve(by, hash)
	return by
}
