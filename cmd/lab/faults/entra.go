package faults

import (
	"slices"

	"aiv.internal/conformance/cmd/lab/entra"
	"aiv.internal/conformance/cmd/lab/entra/directory"
	"aiv.internal/conformance/cmd/lab/entra/graph"
)

var (
	// groupItems read groups of Entra ID.
	groupItems = []string{"4.2.1.1", "4.2.1.2", "4.2.1.3", "4.2.1.4", "4.2.2"}
	// graphItems ask Microsoft Graph with a token.
	graphItems = slices.Concat([]string{"4.1.7.1", "4.1.7.2", "4.1.8"}, groupItems)
	// entraItems ask Entra ID or Graph for something.
	entraItems = slices.Concat([]string{"4.1.1", "4.1.2", "4.1.3", "4.1.4", "4.1.5", "4.1.6"}, graphItems)
)

// entraFaults are the defects of the simulated Entra ID, its application and its groups.
func entraFaults() []Fault {
	return slices.Concat(tenantFaults(), secretFaults(), applicationFaults(), groupFaults(), entraTrials())
}

func tenantFaults() []Fault {
	return []Fault{
		{
			Name:        "entra-down",
			Description: "Entra ID and Graph do not run: connections are refused",
			Undecided:   entraItems,
			MayFail:     []string{"2.3.4.2"},
			Words:       []string{"refused"},
			Break:       stopProcesses("entra"),
			Mend:        startProcesses,
		},
		answerFault(Fault{
			Name:        "entra-wrong-tenant",
			Description: "the answers name a tenant that does not exist",
			Failed:      []string{"4.1.3"},
			Undecided:   without(entraItems, "4.1.3"),
			Words:       []string{"AADSTS90002"},
		}, "  tenantId: "+directory.TenantID, "  tenantId: 11111111-2222-4333-8444-555555555555"),
		{
			Name:        entra.FaultIssuerOther,
			Description: "the discovery document names the issuer of another tenant",
			Failed:      []string{"4.1.3"},
			May:         []string{"4.1.4"},
			Words:       []string{"issuer"},
		},
		{
			Name:        entra.FaultClockAhead,
			Description: "Entra ID's clock is ten minutes ahead: its tokens are not valid yet",
			Undecided:   []string{"4.1.4"},
			Words:       []string{"ahead", "clock"},
		},
		{
			Name:        directory.FaultAppUnknown,
			Description: "the tenant does not know the application",
			Failed:      []string{"4.1.1", "4.1.2"},
			Undecided:   without(entraItems, "4.1.1", "4.1.2", "4.1.3"),
			Words:       []string{"AADSTS700016"},
		},
	}
}

func secretFaults() []Fault {
	return []Fault{
		{
			Name:        entra.FaultSecretWrong,
			Description: "the client secret was replaced, and the answers refer to the old one",
			Failed:      []string{"4.1.4"},
			Undecided:   append([]string{"4.1.5"}, graphItems...),
			Words:       []string{"AADSTS7000215"},
		},
		{
			Name:        directory.FaultSecretExpired,
			Description: "the client secret expired yesterday",
			Failed:      []string{"4.1.4", "4.1.5"},
			Undecided:   graphItems,
			Words:       []string{"AADSTS7000222"},
		},
		{
			Name:        directory.FaultSecretExpiring,
			Description: "the client secret expires in ten days",
			Failed:      []string{"4.1.5"},
			Words:       []string{"in 10 days"},
		},
		{
			Name:        directory.FaultSecretDate,
			Description: "the client secret ends a hundred days before the answered date",
			Failed:      []string{"4.1.5"},
			Words:       []string{"entra.secretExpires"},
		},
	}
}

func applicationFaults() []Fault {
	return []Fault{
		{
			Name:        directory.FaultRedirectMissing,
			Description: "another redirect URI is registered",
			Failed:      []string{"4.1.6"},
			Words:       []string{directory.RedirectURI, "registered"},
		},
		{
			Name:        directory.FaultRedirectHTTP,
			Description: "the redirect URI is registered with http",
			Failed:      []string{"4.1.6"},
			Words:       []string{"http://jupyterhub"},
		},
		{
			Name:        directory.FaultConsentMissing,
			Description: "nobody consented to the two permissions that the application asks for",
			Failed:      []string{"4.1.7.1", "4.1.7.2", "4.1.8"},
			Undecided:   groupItems,
			Words:       []string{"consent"},
		},
		{
			Name:        directory.FaultPermissionMissing,
			Description: "the application does not ask for the two permissions",
			Failed:      []string{"4.1.7.1", "4.1.7.2"},
			Undecided:   groupItems,
			Words:       []string{"API permissions"},
		},
	}
}

// entraTrials are what Entra ID and Graph do to every client now and then.
func entraTrials() []Fault {
	return []Fault{
		{
			Name:        graph.FaultThrottled,
			Description: "Graph refuses each address once, with 429 and a time to wait: nothing may fail",
			Borne:       entraItems,
		},
		{
			Name:        entra.FaultKeysRotated,
			Description: "Entra ID signs each token with a new key, which it publishes then: nothing may fail",
			Borne:       entraItems,
		},
	}
}

func groupFaults() []Fault {
	return []Fault{
		{
			Name:        directory.FaultGroupOther,
			Description: "the object ID of the users' group is that of another group",
			Failed:      []string{"4.2.1.1", "4.2.2"},
			Words:       []string{directory.UsersName, "SG-Finance-Reporting"},
		},
		{
			Name:        directory.FaultGPUGroupGone,
			Description: "the group of GPU users was deleted",
			Failed:      []string{"4.2.1.3", "4.2.2"},
			Words:       []string{directory.GPUID},
		},
		{
			Name:        directory.FaultOtherGroupEmpty,
			Description: "another answered group has no member",
			Failed:      []string{"4.2.1.4"},
			Words:       []string{directory.OtherName, "member"},
		},
		{
			Name:        directory.FaultAdminsEmpty,
			Description: "the administrators' group has no member",
			Failed:      []string{"4.2.1.2"},
			Words:       []string{directory.AdminsName, "member"},
		},
	}
}
