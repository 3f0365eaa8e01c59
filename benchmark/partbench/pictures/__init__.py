"""Pictures of what explainers show; `gallery` draws all that apply to one."""
