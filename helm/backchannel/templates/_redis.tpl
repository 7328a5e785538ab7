{{- define "backchannel.redis.passwordSecret" -}}
{{- .Values.redis.password.existingSecret | default (printf "%s-redis-password" (include "backchannel.fullname" .)) -}}
{{- end -}}

{{- define "backchannel.redis.hasPassword" -}}
{{- if or (eq .Values.redis.mode "bundled") .Values.redis.password.existingSecret .Values.redis.password.value }}true{{ end -}}
{{- end -}}

{{/* The URL, with $(…) where the kubelet puts in the passwords. */}}
{{- define "backchannel.redis.url" -}}
{{- $redis := .Values.redis -}}
{{- $login := "" -}}
{{- if include "backchannel.redis.hasPassword" . -}}
{{- $login = printf "%s:$(REDIS_PASSWORD)@" $redis.user -}}
{{- else if $redis.user -}}
{{- fail "redis.user needs redis.password" -}}
{{- end -}}
{{- if eq $redis.mode "bundled" -}}
redis://:$(REDIS_PASSWORD)@{{ include "backchannel.fullname" . }}-redis:6379/0
{{- else -}}
{{- if not $redis.addresses }}{{ fail (printf "redis.addresses must name where Redis is (redis.mode %s), or redis.existingUrlSecret a Secret with its URL" $redis.mode) }}{{ end -}}
{{- $scheme := ternary "rediss" "redis" $redis.tls.enabled -}}
{{- $first := first $redis.addresses -}}
{{- $query := list -}}
{{- range rest $redis.addresses }}{{ $query = append $query (printf "node=%s" .) }}{{ end -}}
{{- if eq $redis.mode "external" -}}
{{- if gt (len $redis.addresses) 1 }}{{ fail "redis.mode external takes one address; for more it is sentinel or cluster" }}{{ end -}}
{{ $scheme }}://{{ $login }}{{ $first }}/{{ int64 $redis.database }}
{{- else if eq $redis.mode "sentinel" -}}
{{- $query = append $query (printf "sentinelServiceName=%s" $redis.sentinelService) -}}
{{- with $redis.sentinelUser }}{{ $query = append $query (printf "sentinelUsername=%s" .) }}{{ end -}}
{{- if $redis.sentinelPassword.existingSecret }}{{ $query = append $query "sentinelPassword=$(REDIS_SENTINEL_PASSWORD)" }}{{ end -}}
{{ $scheme }}-sentinel://{{ $login }}{{ $first }}/{{ int64 $redis.database }}?{{ join "&" $query }}
{{- else -}}
{{- if ne (int64 $redis.database) 0 }}{{ fail "a cluster has no databases: redis.database must be 0" }}{{ end -}}
{{ $scheme }}-cluster://{{ $login }}{{ $first }}{{ if $query }}?{{ join "&" $query }}{{ end }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What API and worker need to reach Redis. Passwords come first: $(…) sees only what stands above it. */}}
{{- define "backchannel.redis.env" -}}
{{- $redis := .Values.redis -}}
{{- if and $redis.existingUrlSecret (ne $redis.mode "bundled") }}
- name: BACKCHANNEL_REDIS_URL
  valueFrom:
    secretKeyRef: {name: {{ $redis.existingUrlSecret }}, key: {{ $redis.urlKey }}}
{{- else }}
{{- if include "backchannel.redis.hasPassword" . }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ include "backchannel.redis.passwordSecret" . }}, key: {{ $redis.password.key }}}
{{- end }}
{{- if and (eq $redis.mode "sentinel") $redis.sentinelPassword.existingSecret }}
- name: REDIS_SENTINEL_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ $redis.sentinelPassword.existingSecret }}, key: {{ $redis.sentinelPassword.key }}}
{{- end }}
- name: BACKCHANNEL_REDIS_URL
  value: {{ include "backchannel.redis.url" . | quote }}
{{- end }}
{{- if $redis.tls.caSecret }}
- name: BACKCHANNEL_REDIS_TLS_CA_FILE
  value: /etc/backchannel/redis-ca/ca.crt
{{- end }}
{{- end -}}

{{- define "backchannel.redis.volumeMounts" -}}
{{- if .Values.redis.tls.caSecret }}
volumeMounts:
  - name: redis-ca
    mountPath: /etc/backchannel/redis-ca
    readOnly: true
{{- end }}
{{- end -}}

{{- define "backchannel.redis.volumes" -}}
{{- if .Values.redis.tls.caSecret }}
volumes:
  - name: redis-ca
    secret:
      secretName: {{ .Values.redis.tls.caSecret }}
      items:
        - {key: {{ .Values.redis.tls.caKey }}, path: ca.crt}
{{- end }}
{{- end -}}
