package answers

// Login is how the runner signs in at a service: with a user name and password, or with a token.
type Login struct {
	// User name.
	Username string `yaml:"username" example:"svc-jupyterhub"`
	// Password of the user.
	Password Secret `yaml:"password"`
	// Token, in place of user name and password.
	Token Secret `yaml:"token"`
}

// Prometheus is section 8.1.
type Prometheus struct {
	// Is Prometheus installed in the cluster?
	Installed *bool `yaml:"installed" example:"true"`
	// Is the Prometheus Operator installed?
	Operator *bool `yaml:"operator" example:"true"`
	// Namespace that Prometheus runs in.
	Namespace string `yaml:"namespace" form:"dnslabel" example:"monitoring"`
	// Are ServiceMonitors supported?
	ServiceMonitors *bool `yaml:"serviceMonitors" example:"true"`
	// Release name, which ServiceMonitors carry as label.
	ReleaseName string `yaml:"releaseName" example:"kube-prometheus-stack"`
	// Address of Prometheus.
	URL string `yaml:"url" form:"url" example:"https://prometheus.aiv.internal"`
	// How to sign in, where Prometheus asks for it.
	Login Login `yaml:"login"`
	// File with the CA that signs its certificate, where it is not the corporate one.
	CAFile string `yaml:"caFile" form:"path" example:"aiv-ca.pem"`
	// Whom to call about Prometheus.
	Contact Contact `yaml:"contact"`
}

func (p Prometheus) validate() []problem {
	return encrypted("url", p.URL, p.Login.Password, p.Login.Token)
}

// Grafana is section 8.2.
type Grafana struct {
	// Address of Grafana.
	URL string `yaml:"url" form:"url" example:"https://grafana.aiv.internal"`
	// How to sign in.
	Login Login `yaml:"login"`
	// Name or UID of the Prometheus data source.
	DataSource string `yaml:"dataSource" example:"Prometheus"`
	// Name or UID of the folder for JupyterHub's dashboards.
	Folder string `yaml:"folder" example:"JupyterHub"`
	// File with the CA that signs its certificate, where it is not the corporate one.
	CAFile string `yaml:"caFile" form:"path" example:"aiv-ca.pem"`
	// Whom to call about Grafana.
	Contact Contact `yaml:"contact"`
}

func (g Grafana) validate() []problem {
	return encrypted("url", g.URL, g.Login.Password, g.Login.Token)
}

// Alerting is section 8.3.
type Alerting struct {
	// The alerting system.
	System AlertingSystem `yaml:"system" example:"alertmanager"`
	// Address of Alertmanager, or of the system's event API.
	URL string `yaml:"url" form:"url" example:"https://alertmanager.aiv.internal"`
	// How to sign in, or the integration key as token.
	Login Login `yaml:"login"`
	// Channels over which people are told.
	Channels []Channel `yaml:"channels" example:"email,chat"`
	// Labels of JupyterHub's alerts, which the routing tree leads to a receiver.
	Labels map[string]string `yaml:"labels" example:"team=ml-platform"`
	// The on-call rotation.
	OnCall OnCall `yaml:"onCall"`
	// File with the CA that signs its certificate, where it is not the corporate one.
	CAFile string `yaml:"caFile" form:"path" example:"aiv-ca.pem"`
	// Whom to call about alerting.
	Contact Contact `yaml:"contact"`
}

func (a Alerting) validate() []problem {
	return encrypted("url", a.URL, a.Login.Password, a.Login.Token)
}

// AlertingSystem is what sends alerts to people.
type AlertingSystem string

// The choices of item 8.3.1.
const (
	Alertmanager  AlertingSystem = "alertmanager"
	PagerDuty     AlertingSystem = "pagerduty"
	OtherAlerting AlertingSystem = "other"
)

// Enum lists the choices.
func (AlertingSystem) Enum() []string { return []string{"alertmanager", "pagerduty", "other"} }

// Channel is a way to tell people of an alert.
type Channel string

// The choices of item 8.3.2; chat is Slack or Microsoft Teams.
const (
	Email        Channel = "email"
	Chat         Channel = "chat"
	OtherChannel Channel = "other"
)

// Enum lists the choices.
func (Channel) Enum() []string { return []string{"email", "chat", "other"} }

// OnCall is the on-call rotation.
type OnCall struct {
	Attestation `yaml:",inline"`
	// Is a rotation defined?
	Defined *bool `yaml:"defined" example:"true"`
}
