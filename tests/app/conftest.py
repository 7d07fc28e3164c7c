from serving import app_url as app_url
