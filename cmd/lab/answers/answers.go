// Package answers writes the answers file that is true for the healthy lab.
package answers

import (
	"bytes"
	_ "embed"
	"os"
	"strings"
	"text/template"
	"time"

	"aiv.internal/conformance/cmd/lab/build"
	"aiv.internal/conformance/cmd/lab/entra/directory"
	"aiv.internal/conformance/cmd/lab/gpu/device"
	"aiv.internal/conformance/cmd/lab/images"
	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

//go:embed answers.yaml
var source string

// values are what the template may use.
type values struct {
	Image, PullSecret, Domain, Version, Namespace string
	Nodes                                         int
	CA, Registry, Repository, RegistryUser        string
	RegistryPassword                              string
	BlockClass, SharedClass, BlockProvisioner     string
	CPUNodes, GPUNodes, GPUsPerNode               int
	GPUModel, GPUResource, RuntimeClass           string
	GPUOperator, Notebook                         string
	ClientID, TenantID, ClientSecret              string
	SecretExpires, RedirectURI                    string
	TestUser, TestUserPassword                    string
	LoginURL, GraphURL                            string
	GitLabURL, S3URL, CephMon, OutsideURL         string
	Users, Admins, GPUUsers, Auditors             group
	HubHost, DNSServers, VIP, IngressClass        string
	// Full is true in a full lab.
	Full                      bool
	HubBundle, HubKey         string
	HubNames                  []string
	Issuer, HubFrom, HubUntil string
	// On is the day of the attestations, Next one half a year later.
	On, Next string
}

// group is one of Entra ID's.
type group struct{ Name, ObjectID string }

// Render returns the answers, with attestations of the day before now.
func Render(dir state.Dir, now time.Time) ([]byte, error) {
	parsed, err := template.New("answers").Option("missingkey=error").Parse(source)
	if err != nil {
		return nil, err
	}
	from, until, err := pki.HubPeriod(dir, now)
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	err = parsed.Execute(&content, values{
		Image:            topology.ConformanceImage,
		PullSecret:       topology.PullSecret,
		Domain:           topology.Domain,
		Version:          minorVersion(),
		Namespace:        topology.Namespace,
		Nodes:            len(topology.Nodes()),
		CA:               dir.CA(),
		Registry:         topology.Registry,
		Repository:       topology.RegistryRepository,
		RegistryUser:     topology.RegistryUser,
		RegistryPassword: dir.RegistryPassword(),
		BlockClass:       topology.BlockClass,
		SharedClass:      topology.SharedClass,
		BlockProvisioner: topology.BlockProvisioner,
		CPUNodes:         len(topology.Nodes()) - len(topology.GPUNodes()),
		GPUNodes:         len(topology.GPUNodes()),
		GPUsPerNode:      topology.GPUsPerNode,
		GPUModel:         device.Model,
		GPUResource:      device.Resource,
		GPUOperator:      device.OperatorVersion,
		RuntimeClass:     device.RuntimeClass,
		Notebook:         images.Notebook,
		ClientID:         directory.ClientID,
		TenantID:         directory.TenantID,
		ClientSecret:     dir.EntraSecret(),
		SecretExpires:    directory.Expires(dir, now),
		TestUser:         directory.TestUser,
		TestUserPassword: dir.TestUserPassword(),
		RedirectURI:      directory.RedirectURI,
		LoginURL:         topology.LoginURL,
		GraphURL:         topology.GraphURL,
		GitLabURL:        topology.GitLabURL,
		S3URL:            topology.S3URL,
		CephMon:          topology.CephMon,
		OutsideURL:       topology.OutsideURL,
		Users:            group{directory.UsersName, directory.UsersID},
		Admins:           group{directory.AdminsName, directory.AdminsID},
		GPUUsers:         group{directory.GPUName, directory.GPUID},
		Auditors:         group{directory.OtherName, directory.OtherID},
		HubHost:          topology.HubHost,
		DNSServers:       topology.DNSServer1 + ", " + topology.DNSServer2,
		VIP:              topology.VIP,
		IngressClass:     topology.IngressClass,
		Full:             dir.Full(),
		HubBundle:        dir.HubBundle(),
		HubKey:           dir.HubKey(),
		HubNames:         pki.HubNames(),
		Issuer:           pki.IssuingName,
		HubFrom:          from.Format(time.DateOnly),
		HubUntil:         until.Format(time.DateOnly),
		On:               now.AddDate(0, 0, -1).Format(time.DateOnly),
		Next:             now.AddDate(0, 6, 0).Format(time.DateOnly),
	})
	return content.Bytes(), err
}

// minorVersion is the cluster's version without the patch, as people confirm it.
func minorVersion() string {
	parts := strings.Split(strings.TrimPrefix(build.KubernetesVersion, "v"), ".")
	return strings.Join(parts[:2], ".")
}

// Write stores the answers at their place.
func Write(dir state.Dir) error {
	content, err := Render(dir, time.Now())
	if err != nil {
		return err
	}
	return os.WriteFile(dir.Answers(), content, 0o644)
}
