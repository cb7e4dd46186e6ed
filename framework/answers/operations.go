package answers

// Availability is section 12.1.
type Availability struct {
	// Must JupyterHub run on several nodes?
	MultiNode *bool `yaml:"multiNode" example:"true"`
	// Number of zones that pods are spread over, where there are zones.
	Zones *int `yaml:"zones" example:"2"`
	// Number of JupyterHub replicas.
	Replicas *int `yaml:"replicas" example:"1"`
	// The hub's database.
	Database Database `yaml:"database"`
	// Is the load balancer highly available?
	LoadBalancer *bool `yaml:"loadBalancer" example:"true"`
	// Whom to call about availability.
	Contact Contact `yaml:"contact"`
}

// Database is item 12.1.3.
type Database struct {
	// How the database is made highly available.
	Type DatabaseType `yaml:"type" example:"postgresql"`
	// Host and port.
	Address string `yaml:"address" form:"hostport" example:"postgres.aiv.internal:5432"`
	// Name of the database.
	Name string `yaml:"name" example:"jupyterhub"`
	// User name.
	Username string `yaml:"username" example:"jupyterhub"`
	// Password.
	Password Secret `yaml:"password"`
	// Replication lag that is allowed at most; 10s if left out.
	MaxLag Duration `yaml:"maxLag" example:"10s"`
	// File with the CA that signs its certificate, where it is not the corporate one.
	CAFile string `yaml:"caFile" form:"path" example:"aiv-ca.pem"`
}

// DatabaseType is a way to make a database highly available.
type DatabaseType string

// The choices of item 12.1.3.
const (
	PostgreSQL      DatabaseType = "postgresql"
	ManagedDatabase DatabaseType = "managed"
	OtherDatabase   DatabaseType = "other"
)

// Enum lists the choices.
func (DatabaseType) Enum() []string { return []string{"postgresql", "managed", "other"} }

// DisasterRecovery is section 12.2.
type DisasterRecovery struct {
	// Is there a DR site or cluster?
	Site *bool `yaml:"site" example:"true"`
	// Kubeconfig of the second cluster; the runner's own if left out.
	Kubeconfig Secret `yaml:"kubeconfig"`
	// Context of the second cluster in that kubeconfig.
	Context string `yaml:"context" example:"aiv-dr"`
	// Namespace in the second cluster; the same as in the first if left out.
	Namespace string `yaml:"namespace" form:"dnslabel" example:"jupyterhub-prod"`
	// Who vouches that the failover procedure is documented.
	Failover Attestation `yaml:"failover"`
	// The tests of disaster recovery.
	Testing DRTesting `yaml:"testing"`
	// Whom to call about disaster recovery.
	Contact Contact `yaml:"contact"`
}

// DRTesting is item 12.2.3.
type DRTesting struct {
	Attestation `yaml:",inline"`
	// When tests take place, in words.
	Schedule string `yaml:"schedule" example:"twice a year"`
	// Day of the next test.
	Next Date `yaml:"next" example:"2027-03-01"`
}

// Support is section 13.1.
type Support struct {
	// Who vouches that the operations team is identified.
	Team Attestation `yaml:"team"`
	// Who vouches that the escalation matrix was provided.
	Escalation Attestation `yaml:"escalation"`
	// The service levels.
	SLA SLA `yaml:"sla"`
	// Primary contact.
	Contact Contact `yaml:"contact"`
	// Backup contact.
	Backup Contact `yaml:"backup"`
	// Emergency contact.
	Emergency Contact `yaml:"emergency"`
}

// SLA is item 13.1.3.
type SLA struct {
	Attestation `yaml:",inline"`
	// Uptime target.
	Uptime Percent `yaml:"uptime" example:"99.9 %"`
	// Response time.
	Response Duration `yaml:"response" example:"1h"`
	// Resolution time.
	Resolution Duration `yaml:"resolution" example:"8h"`
}

// Training is section 13.2.
type Training struct {
	// The training sessions for the operations team.
	Sessions TrainingSessions `yaml:"sessions"`
	// The training materials.
	Materials TrainingMaterials `yaml:"materials"`
}

// TrainingSessions is item 13.2.1.
type TrainingSessions struct {
	Attestation `yaml:",inline"`
	// Day of the training.
	Date Date `yaml:"date" example:"2026-12-10"`
}

// TrainingMaterials is item 13.2.2.
type TrainingMaterials struct {
	// Admin runbook review.
	Runbook Attestation `yaml:"runbook"`
	// Troubleshooting scenarios.
	Troubleshooting Attestation `yaml:"troubleshooting"`
	// Upgrade procedures.
	Upgrades Attestation `yaml:"upgrades"`
	// User management.
	UserManagement Attestation `yaml:"userManagement"`
}

// Staging is section 14.1.
type Staging struct {
	// Is there a staging or development environment?
	Available *bool `yaml:"available" example:"true"`
	// Kubeconfig of the staging cluster; the runner's own if left out.
	Kubeconfig Secret `yaml:"kubeconfig"`
	// Context of the staging cluster in that kubeconfig.
	Cluster string `yaml:"cluster" example:"aiv-staging"`
	// Namespace in the staging cluster.
	Namespace string `yaml:"namespace" form:"dnslabel" example:"jupyterhub-staging"`
	// Address of JupyterHub there.
	URL string `yaml:"url" form:"url" example:"https://jupyterhub-staging.aiv.internal"`
	// Whom to call about staging.
	Contact Contact `yaml:"contact"`
}

// TestUsers is section 14.2.
type TestUsers struct {
	// Users for the acceptance test, at least three.
	Users []TestUser `yaml:"users"`
	// Who vouches that test data is available.
	Data Attestation `yaml:"data"`
	// Who vouches that test scenarios are documented.
	Scenarios Attestation `yaml:"scenarios"`
}

// TestUser is a user for the acceptance test.
type TestUser struct {
	// User principal name.
	Name string `yaml:"name" example:"jhub-test1@aiv.internal"`
	// Which of the answered groups the user is in.
	Groups []UserGroup `yaml:"groups" example:"users"`
	// Password, for the login from end to end.
	Password Secret `yaml:"password"`
}

// UserGroup is one of the groups of section 4.2.
type UserGroup string

// The groups of section 4.2.
const (
	InUsers    UserGroup = "users"
	InAdmins   UserGroup = "admins"
	InGPUUsers UserGroup = "gpuUsers"
)

// Enum lists the choices.
func (UserGroup) Enum() []string { return []string{"users", "admins", "gpuUsers"} }

// Deployment is section 15.1.
type Deployment struct {
	// The deployment window.
	Window Window `yaml:"window"`
	// The change request.
	ChangeRequest ChangeRequest `yaml:"changeRequest"`
	// Who vouches that users were told of the maintenance.
	Notification Attestation `yaml:"notification"`
	// Whom to call about the deployment.
	Contact Contact `yaml:"contact"`
}

// Window is item 15.1.1.
type Window struct {
	// Date and time with the time zone.
	Start Time `yaml:"start" example:"2027-01-16 18:00 Europe/Berlin"`
	// How long it lasts.
	Duration Duration `yaml:"duration" example:"4h"`
}

// ChangeRequest is item 15.1.2.
type ChangeRequest struct {
	Attestation `yaml:",inline"`
	// Number of the change request or ticket.
	Ticket string `yaml:"ticket" example:"CHG0012345"`
}

// GoLive is section 15.2; what is not here is computed from the other sections.
type GoLive struct {
	// Who vouches that the staging environment was tested successfully.
	StagingTested StagingTest `yaml:"stagingTested"`
	// Who vouches that the rollback plan is documented.
	Rollback Attestation `yaml:"rollback"`
	// Who vouches that the user documentation is published.
	UserDocumentation Attestation `yaml:"userDocumentation"`
}

// StagingTest is item 15.2.2.
type StagingTest struct {
	Attestation `yaml:",inline"`
	// File with this suite's report.json of the staging environment.
	Report string `yaml:"report" form:"path" example:"staging/report.json"`
}

// SignOff is the end of the Summary.
type SignOff struct {
	// Your Team Lead.
	TeamLead Attestation `yaml:"teamLead"`
	// AIV IT Manager.
	ITManager Attestation `yaml:"itManager"`
	// AIV Security.
	Security Attestation `yaml:"security"`
}

// Readiness is section N.1.
type Readiness struct {
	// Notebook image that users will get.
	NotebookImage string `yaml:"notebookImage" example:"artifactory.aiv.internal/ml-platform/base-notebook:v1"`
	// Number of users at the same time.
	Users *int `yaml:"users" example:"100"`
	// Time in which a server must start; 300s if left out, as KubeSpawner has it.
	SpawnTimeout Duration `yaml:"spawnTimeout" example:"300s"`
}
