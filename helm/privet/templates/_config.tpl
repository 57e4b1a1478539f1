{{/* privet.yaml, from the values. */}}
{{- define "privet.config" -}}
{{- $address := .Values.listen.address -}}
listen: {{ printf "%s:%v" (eq .Values.mode "sidecar" | ternary "127.0.0.1" $address) .Values.listen.port | quote }}
# The node's probes come in by the pod's address.
admin: {{ printf "%s:%v" $address .Values.listen.adminPort | quote }}
keyring: /etc/privet/keys/keyring
policy: [/etc/privet/policy/{{ .Values.policy.key }}]
{{- with .Values.threads }}
threads: {{ . }}
{{- end }}
timeout: {{ .Values.timeout }}
drain: {{ .Values.drain }}
destinations:
  {{- range $index, $it := prepend .Values.moreDestinations .Values.destination }}
  {{- $tls := default dict $it.tls }}
  - name: {{ default "main" $it.name }}
    endpoint: {{ $it.endpoint | quote }}
    {{- with $it.recipient }}
    recipient: {{ . | quote }}
    {{- end }}
    {{- with $it.region }}
    region: {{ . | quote }}
    {{- end }}
    {{- with $it.policy }}
    policy:
      {{- range . }}
      - /etc/privet/policy/{{ . }}
      {{- end }}
    {{- end }}
    {{- if eq (toString $it.required) "false" }}
    required: false
    {{- end }}
    {{- with $it.gzip }}
    gzip: {{ . }}
    {{- end }}
    {{- with $it.keepalive }}
    keepalive: {{ . }}
    {{- end }}
    {{- with $it.headers }}
    headers:
      {{- range . }}
      {{- if .key }}
      - {name: {{ .name | quote }}, prefix: {{ default "" .prefix | quote }}, file: /etc/privet/destination/{{ .key }}}
      {{- else }}
      - {name: {{ .name | quote }}, value: {{ .value | quote }}}
      {{- end }}
      {{- end }}
    {{- end }}
    {{- if hasPrefix "https://" $it.endpoint }}
    tls:
      {{- with $tls.ca }}
      ca: /etc/privet/tls/{{ . }}
      {{- end }}
      {{- with $tls.certificate }}
      certificate: /etc/privet/tls/{{ . }}
      {{- end }}
      {{- with $tls.key }}
      key: /etc/privet/tls/{{ . }}
      {{- end }}
      {{- with $tls.serverName }}
      server_name: {{ . | quote }}
      {{- end }}
      min_version: {{ default "1.3" $tls.minVersion | quote }}
    {{- end }}
  {{- end }}
limits:
  message_bytes: {{ int64 .Values.limits.messageBytes }}
  decompressed_bytes: {{ int64 .Values.limits.messageBytes }}
  in_flight_bytes: {{ int64 .Values.limits.inFlightBytes }}
  connections: {{ int64 .Values.limits.connections }}
{{- with .Values.audit }}
{{- if .enabled }}
audit:
  directory: /var/lib/privet/audit
  interval: {{ .interval }}
  {{- with .keepDays }}
  keep_days: {{ int64 . }}
  {{- end }}
  required: {{ .required }}
{{- end }}
{{- end }}
{{- end }}

{{/* The policy files, by name. */}}
{{- define "privet.policies" -}}
{{ .Values.policy.key }}: |
  {{- .Values.policy.inline | trimSuffix "\n" | nindent 2 }}
{{- range $name, $text := .Values.policy.more }}
{{ $name }}: |
  {{- $text | trimSuffix "\n" | nindent 2 }}
{{- end }}
{{- end }}

{{/* The ports of all destinations, as a NetworkPolicy has them. */}}
{{- define "privet.destinationPorts" -}}
{{- $ports := list }}
{{- range prepend .Values.moreDestinations .Values.destination }}
{{- $ports = append $ports (regexFind ":[0-9]+$" (urlParse .endpoint).host | trimPrefix ":" | default "4317") }}
{{- end }}
{{- range $ports | uniq | sortAlpha }}
- {port: {{ . }}, protocol: TCP}
{{- end }}
{{- end }}
