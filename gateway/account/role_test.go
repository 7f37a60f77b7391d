package account_test

import (
	"slices"
	"strings"
	"testing"

	"loa/gateway/account"
	"loa/gateway/area"
)

// matrix says, a second time and in other words, who may do what.
var matrix = map[account.Role]string{
	account.Author:           "read draft submit return stop resume correct sign-playbook fire-playbook break-glass decide hand-over schedule-bulletin",
	account.Approver:         "read return reject approve stop resume correct sign-playbook fire-playbook break-glass decide hand-over",
	account.Clerk:            "read schedule-bulletin",
	account.UnitKeeper:       "read keep-units",
	account.DonationReviewer: "read review-appeals",
	account.TelecomLiaison:   "read work-handoffs",
	account.Auditor:          "read read-personal read-audit",
	account.Administrator:    "read read-audit invite grant revoke",
}

func TestMayByActRoleAndTerritory(t *testing.T) {
	t.Parallel()
	type held struct {
		name     string
		mandate  account.Mandate
		covering []string
	}
	holds := []held{
		{"commune", account.Mandate{Territory: "06649", Communes: []area.Code{"06649"}}, []string{"own commune"}},
		{"province", account.Mandate{Territory: "22", Communes: []area.Code{"06649", "06652"}}, []string{"own commune", "own province"}},
		{"nation", account.Mandate{Territory: account.Nation}, []string{"own commune", "other commune", "own province", "mixed"}},
		{"ended", account.Mandate{Territory: "21"}, nil},
		{"nothing", account.Mandate{}, nil},
	}
	areas := map[string][]area.Code{
		"own commune": {"06649"}, "other commune": {"11365"}, "own province": {"06649", "06652"}, "mixed": {"06649", "11365"},
		"empty": {}, "none": nil, "a province not expanded": {"22"}, "a province beside its commune": {"06649", "22"},
		"the nation not expanded": {account.Nation}, "not a code": {""}, "a reserved place": {"loa-1"},
	}
	if len(account.Acts()) != 23 || len(account.Roles()) != len(matrix) {
		t.Fatalf("%d acts, %d roles", len(account.Acts()), len(account.Roles()))
	}
	allowed := 0
	for _, role := range account.Roles() {
		for _, act := range account.Acts() {
			for _, h := range holds {
				h.mandate.Role = role
				for name, communes := range areas {
					want := slices.Contains(strings.Fields(matrix[role]), string(act)) && slices.Contains(h.covering, name)
					if got := account.May([]account.Mandate{h.mandate}, act, communes); got != want {
						t.Errorf("%s of a %s: %s in %s: %v", role, h.name, act, name, got)
					}
					if want {
						allowed++
					}
				}
			}
		}
	}
	if allowed == 0 {
		t.Error("nothing is allowed")
	}
}

func TestMayOfSeveralMandates(t *testing.T) {
	t.Parallel()
	here := account.Mandate{Role: account.Author, Territory: "06649", Communes: []area.Code{"06649"}}
	there := account.Mandate{Role: account.Author, Territory: "11365", Communes: []area.Code{"11365"}}
	signsThere := account.Mandate{Role: account.Approver, Territory: "11365", Communes: []area.Code{"11365"}}
	both := []area.Code{"06649", "11365"}
	if !account.May([]account.Mandate{here, there}, account.ActDraft, both) {
		t.Error("two communes, an author in each")
	}
	if account.May([]account.Mandate{here, signsThere}, account.ActDraft, both) || account.May([]account.Mandate{here, signsThere}, account.ActApprove, both) {
		t.Error("one role lends its territory to another")
	}
	if account.May([]account.Mandate{here}, "launch", []area.Code{"06649"}) || account.May(nil, account.ActRead, both) {
		t.Error("an unknown act, or nobody, is allowed")
	}
}
