// Package pending lists, in one place, the items whose check is still to be written. Each
// is reported as having no check, which keeps the deployment from counting as ready.
package pending

import "aiv.internal/conformance/framework/check"

var _ = check.Subsection("pending", func() {
	check.Pending( // backup
		"6.3.1", "6.3.2", "6.3.4", "6.3.5")
	check.Pending( // GitLab
		"7.1.1", "7.1.2", "7.1.3", "7.1.4", "7.1.5.1", "7.1.5.2",
		"7.2.1.1", "7.2.1.2", "7.2.1.3", "7.2.1.4", "7.2.1.5", "7.2.2", "7.2.3")
	check.Pending( // monitoring
		"8.1.1", "8.1.2", "8.1.3", "8.1.4", "8.1.5",
		"8.2.1", "8.2.2", "8.2.3", "8.2.4", "8.2.5",
		"8.3.1", "8.3.2")
	check.Pending( // IAM, artifacts, Confluence
		"9.1.2", "9.1.3", "9.1.4.1", "9.1.4.2", "9.1.4.3", "9.1.4.4",
		"10.1.1", "10.1.2", "10.1.3", "10.3.1", "10.3.2")
	check.Pending( // security
		"11.1.1", "11.1.2", "11.1.3", "11.1.4")
	check.Pending( // availability and disaster recovery
		"12.1.1", "12.1.2", "12.1.3", "12.1.4", "12.2.1")
	check.Pending( // staging, test users, deployment window
		"14.1.1", "14.1.2", "14.2.1", "15.1.1")
	check.Pending( // JupyterHub readiness
		"N.1.3", "N.1.4", "N.1.7", "N.1.8", "N.1.9", "N.1.10", "N.1.11")
})
