from hub.conftest import copy as copy
from hub.conftest import home as home
from hub.conftest import hub as hub
from hub.conftest import tiny as tiny
from serving import app_url as app_url
from serving import models as models
from serving import served as served
