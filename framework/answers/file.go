// Package answers reads what the customer filled in: the answers file. It says with file, line
// and column what is wrong in it, and holds no credential: where one is needed, the file refers
// to an environment variable, a file or a Kubernetes Secret. It never asks the cluster or any
// service whether an answer is true; that is what the checks are for.
//
// The comments of the fields are written for the customer: they become the descriptions of the
// JSON Schema and of the file that "runner init" writes.
package answers

import "aiv.internal/conformance/framework/checklist"

//go:generate go run ./gen

// The only version of the answers file so far.
const (
	APIVersion = "conformance.aiv.internal/v1"
	Kind       = "Answers"
)

// File is the answers file: one key for each subsection of the checklist. Whatever is left out
// is "not answered".
type File struct {
	// The version of this file's format.
	APIVersion string `yaml:"apiVersion" jsonschema:"required"`
	// Always Answers.
	Kind string `yaml:"kind" jsonschema:"required"`
	// How the runner itself works in this environment. It belongs to no item of the checklist.
	Runner Runner `yaml:"runner"`

	// 1.1 Cluster Information.
	Cluster Cluster `yaml:"cluster"`
	// 1.2 GPU Nodes.
	GPU GPU `yaml:"gpu"`
	// 2.1 DNS Configuration.
	DNS DNS `yaml:"dns"`
	// 2.2 Load Balancer / Ingress.
	Ingress Ingress `yaml:"ingress"`
	// 2.3 Network Policies.
	NetworkPolicies NetworkPolicies `yaml:"networkPolicies"`
	// 3.1 Certificate Details.
	Certificates Certificates `yaml:"certificates"`
	// 4.1 Entra ID App Registration.
	Entra Entra `yaml:"entra"`
	// 4.2 User Groups.
	Groups Groups `yaml:"groups"`
	// 5.1 Registry Access.
	Registry Registry `yaml:"registry"`
	// 6.1 Storage Class.
	StorageClass StorageClass `yaml:"storageClass"`
	// 6.2 Storage Quotas.
	StorageQuotas StorageQuotas `yaml:"storageQuotas"`
	// 6.3 Backup & Recovery.
	Backup Backup `yaml:"backup"`
	// 7.1 GitLab Access.
	GitLab GitLab `yaml:"gitlab"`
	// 7.2 CI/CD Configuration.
	Pipeline Pipeline `yaml:"pipeline"`
	// 8.1 Prometheus.
	Prometheus Prometheus `yaml:"prometheus"`
	// 8.2 Grafana.
	Grafana Grafana `yaml:"grafana"`
	// 8.3 Alerting.
	Alerting Alerting `yaml:"alerting"`
	// 9.1 IAM Solution.
	IAM IAM `yaml:"iam"`
	// 10.1 Artifact Repository (Backup/Models/Data).
	Artifacts Artifacts `yaml:"artifacts"`
	// 10.2 Virtual Environment for Coding/IAC.
	IDE IDE `yaml:"ide"`
	// 10.3 Confluence (Documentation).
	Confluence Confluence `yaml:"confluence"`
	// 11.1 Security Requirements.
	Security Security `yaml:"security"`
	// 11.2 Compliance.
	Compliance Compliance `yaml:"compliance"`
	// 12.1 HA Configuration.
	Availability Availability `yaml:"availability"`
	// 12.2 Disaster Recovery.
	DisasterRecovery DisasterRecovery `yaml:"disasterRecovery"`
	// 13.1 Operational Support.
	Support Support `yaml:"support"`
	// 13.2 Training.
	Training Training `yaml:"training"`
	// 14.1 Test Environments.
	Staging Staging `yaml:"staging"`
	// 14.2 Test Users.
	TestUsers TestUsers `yaml:"testUsers"`
	// 15.1 Timeline.
	Deployment Deployment `yaml:"deployment"`
	// 15.2 Go-Live Criteria.
	GoLive GoLive `yaml:"goLive"`
	// The three sign-offs of the Summary.
	SignOff SignOff `yaml:"signOff"`
	// N.1 What JupyterHub needs beyond the checklist.
	Readiness Readiness `yaml:"readiness"`
	// N.2 The customer's own checks, needing no program.
	Custom []Custom `yaml:"custom"`
	// Items that need not be met for a while: who decided so, and until when.
	Waivers []Waiver `yaml:"waivers"`

	places places
}

// CustomItems are the customer's own checks as items of the catalogue's subsection N.2.
func (f *File) CustomItems() []checklist.Item {
	var items []checklist.Item
	for _, c := range f.Custom {
		items = append(items, checklist.Item{ID: c.ItemID(), Title: c.Title, Kind: checklist.Probe})
	}
	return items
}

// Waiver returns the waiver of an item, expired or not.
func (f *File) Waiver(id string) (Waiver, bool) {
	for _, w := range f.Waivers {
		if w.ID == id {
			return w, true
		}
	}
	return Waiver{}, false
}
